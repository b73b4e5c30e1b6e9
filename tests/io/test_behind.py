import pytest

from octflow.io.behind import Behind


def write(behind, path, text="a"):
    with behind.replacing(path) as part:
        part.write_text(text)


def test_all_files_have_their_names_in_the_end(tmp_path):
    paths = [tmp_path / str(i) for i in range(20)]
    with Behind(waiting=2) as behind:
        for path in paths:
            write(behind, path, path.name)
    assert [path.read_text() for path in paths] == [path.name for path in paths]
    assert len(list(tmp_path.iterdir())) == 20


def test_what_fails_while_it_is_written_is_removed(tmp_path):
    with Behind() as behind, pytest.raises(ZeroDivisionError), behind.replacing(tmp_path / "a"):
        (tmp_path / "a").with_name("b").write_text(str(1 / 0))
    assert list(tmp_path.iterdir()) == []


def write_all(paths, texts):
    with Behind() as behind:
        for path, text in zip(paths, texts, strict=True):
            write(behind, path, text())


def test_after_one_that_gets_no_name_none_does(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "in the way").touch()
    with pytest.raises(IsADirectoryError):
        write_all([tmp_path / "a", tmp_path / "b"], [str, str])
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_error_of_the_caller_is_not_hidden(tmp_path):
    with pytest.raises(ZeroDivisionError):
        write_all([tmp_path / "a", tmp_path / "b"], [str, lambda: 1 / 0])
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
