import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from octflow.core.errors import ArchiveError, DataError
from octflow.io.digest import fast_id, size_bytes
from octflow.io.remote.archive import Item, Sent, upload
from octflow.io.remote.folder import FolderArchive
from octflow.io.remote.pace import Pace

from runs import mount

SLOWLY = """
import sys
from pathlib import Path
from octflow.io.digest import fast_id, size_bytes
from octflow.io.remote.archive import Item, upload
from octflow.io.remote.folder import FolderArchive
from octflow.io.remote.pace import Pace

source = Path(sys.argv[1])
item = Item(source, "volume", fast_id(source), size_bytes(source))
upload(FolderArchive(Path(sys.argv[2]), mount=None, pace=Pace(2e5)), [item])
"""


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.fixture
def archive(root):
    return FolderArchive(root, mount=None, pace=Pace(None))


def item(source, path):
    return Item(source, path, fast_id(source), size_bytes(source))


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def volume(folder, n=6, size=50_000):
    for number in range(n):
        write(folder / "0" / "c" / str(number), bytes([number]) * size)
    write(folder / "zarr.json", b"{}")
    return folder


def test_a_copy_is_what_was_sent_and_is_sent_once(archive, root, tmp_path):
    one = item(write(tmp_path / "a", b"content"), "p/deep/a.nii")
    (asset,), sent = upload(archive, [one])
    assert (root / "p/deep/a.nii").read_bytes() == b"content"
    assert (asset.digest, asset.bytes, sent) == (one.id, 7, Sent(files=1, bytes=7))
    again = FolderArchive(root, mount=None, pace=Pace(None))
    assert upload(again, [one]) == ([asset], Sent())


@pytest.mark.parametrize("name", ["with space", "täfel", "*?[x]", "-rf", "new\nline", "x" * 200])
def test_names_are_kept_whatever_they_are(archive, root, tmp_path, name):
    one = item(write(tmp_path / "a", b"content"), f"p/{name}")
    ((asset,), _) = upload(archive, [one])
    assert [path.name for path in (root / "p").iterdir()] == [name]
    assert asset.url.startswith("file:///")
    assert "\n" not in asset.url


def test_what_changed_in_the_archive_is_replaced(archive, root, tmp_path):
    one = item(write(tmp_path / "a", b"content"), "a")
    write(root / "a", b"rotten!")
    _, sent = upload(archive, [one])
    assert ((root / "a").read_bytes(), sent.files) == (b"content", 1)


def test_a_folder_is_replaced_whole_and_by_its_older_content_too(root, tmp_path):
    first, second = volume(tmp_path / "1", n=3), volume(tmp_path / "2", n=2)
    write(second / "0" / "c" / "0", b"another")
    for source in (first, second, first):
        archive = FolderArchive(root, mount=None, pace=Pace(None))
        upload(archive, [item(source, "v.ome.zarr")])
        assert fast_id(root / "v.ome.zarr") == fast_id(source)
        assert [path.name for path in root.iterdir()] == ["v.ome.zarr"]


def test_killed_half_way_only_the_rest_is_sent(archive, root, tmp_path):
    source = volume(tmp_path / "volume")
    command = [sys.executable, "-c", SLOWLY, str(source), str(root)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3]) as run:
        while len(done := finished(root)) < 2 and run.poll() is None:
            time.sleep(0.02)
        os.kill(run.pid, signal.SIGKILL)
    done = finished(root)
    assert not (root / "volume").exists()
    _, sent = upload(archive, [item(source, "volume")])
    assert sent.files == 7 - len(done)
    assert fast_id(root / "volume") == fast_id(source)


def finished(root):
    parts = root.glob(".part-*-volume/0/c/*")
    return [path for path in parts if not path.name.startswith(".part")]


def test_content_that_is_not_what_the_record_says_gets_no_name(archive, root, tmp_path):
    source = write(tmp_path / "a", b"content")
    stale = item(source, "a")
    source.write_bytes(b"changed")
    with pytest.raises(DataError, match=r"a: found xxh3:.*, as recorded"):
        upload(archive, [stale])
    assert list(root.iterdir()) == []


def test_an_archive_that_loses_what_it_is_given_is_not_believed(root, tmp_path):
    class Losing(FolderArchive):
        def send(self, items):
            sent = super().send(items)
            write(root / "a", b"c0ntent")
            self._read_back.clear()
            return sent

    archive = Losing(root, mount=None, pace=Pace(None))
    with pytest.raises(ArchiveError, match="a in the archive: found xxh3"):
        upload(archive, [item(write(tmp_path / "a", b"content"), "a")])


def test_a_folder_that_is_not_there_is_not_made(root, tmp_path):
    one = item(write(tmp_path / "a", b"content"), "a")
    archive = FolderArchive(root / "gone", mount=None, pace=Pace(None))
    with pytest.raises(ArchiveError, match=r"gone: found no folder.*is the disk mounted"):
        upload(archive, [one])
    assert list(root.iterdir()) == []


def test_a_disk_that_has_to_be_mounted_is_asked_for(root, tmp_path):
    one = item(write(tmp_path / "a", b"content"), "a")
    with pytest.raises(ArchiveError, match="found no mounted disk") as caught:
        upload(FolderArchive(root, mount=root, pace=Pace(None)), [one])
    assert caught.value.kind == "transient"
    upload(FolderArchive(root, mount=Path("/"), pace=Pace(None)), [one])


def test_a_full_disk_is_said_and_what_was_there_stays(archive, root, tmp_path):
    mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", root)
    try:
        write(root / "a", b"former")
        large = item(write(tmp_path / "a", b"x" * 100_000), "a")
        with pytest.raises(ArchiveError, match="bytes free, expected room for 100000") as caught:
            upload(archive, [large])
        assert caught.value.kind == "resource"
        assert [(p.name, p.read_bytes()) for p in root.iterdir()] == [("a", b"former")]
    finally:
        subprocess.run(["umount", str(root)], check=True)


def test_what_the_system_refuses_is_said_of_the_copy(archive, root, tmp_path):
    write(root / "p", b"a file where a folder should be")
    with pytest.raises(ArchiveError, match=r"disk/p: found .*exist"):
        upload(archive, [item(write(tmp_path / "a", b"content"), "p/a")])


def test_no_more_bytes_are_sent_than_allowed(root, tmp_path):
    waits = []
    pace = Pace(1000.0, now_s=lambda: sum(waits), sleep=waits.append)
    upload(FolderArchive(root, mount=None, pace=pace), [item(volume(tmp_path / "v", 2, 500), "v")])
    assert sum(waits) == pytest.approx(1.002)
