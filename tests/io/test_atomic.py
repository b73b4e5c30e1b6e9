import pytest

from octflow.io.atomic import replacing


def test_a_file_appears_only_when_the_block_succeeds(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with replacing(path) as part:
        part.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"


def _fail_half_way(path):
    with replacing(path) as part:
        part.write_text("half")
        raise RuntimeError


def test_a_failed_block_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        _fail_half_way(path)
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]
    assert path.read_text() == "old"


def test_a_folder_is_replaced_whole(tmp_path):
    path = tmp_path / "store"
    for content in ("one", "two"):
        with replacing(path) as part:
            part.mkdir()
            (part / content).touch()
    assert [p.name for p in path.iterdir()] == ["two"]


def test_a_former_folder_that_a_killed_writer_set_aside_is_removed(tmp_path):
    aside = tmp_path / ".part-0-store"
    aside.mkdir()
    (aside / "old").touch()
    for content in ("one", "two"):
        with replacing(tmp_path / "store") as part:
            part.mkdir()
            (part / content).touch()
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")] == [
        "store",
        "store/two",
    ]


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    path = tmp_path / "strange [name] *.txt"
    left = tmp_path / f".part-99999999-{path.name}"
    left.write_text("half")
    with replacing(path) as part:
        part.write_text("whole")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_link_replaces_a_link_and_its_target_is_left_alone(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).write_text(name)
    for name in ("old", "new"):
        with replacing(tmp_path / "link") as part:
            part.symlink_to(tmp_path / name)
    assert (tmp_path / "link").readlink() == tmp_path / "new"
    assert (tmp_path / "old").read_text() == "old"
