"""The real client of DANDI against a server on the loopback interface that speaks its protocol."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import zarr

from octflow.core.errors import ArchiveError, DataError, SettingsError
from octflow.io.digest import fast_id, size_bytes
from octflow.io.remote.archive import Item, Sent, upload
from octflow.io.remote.pace import Pace
from octflow.io.remote.patience import Patience

from archive_server import (
    DANDISET,
    KEY,
    PART_BYTES,
    SIGNATURE,
    archive_server,
    etag_of,
    zarr_checksum_of,
)

if not os.environ.get("CI"):
    pytest.importorskip("dandi")

from octflow.io.remote.dandi import DandiArchive, key_of

KILLED = """
import sys
from pathlib import Path
from octflow.io.digest import fast_id, size_bytes
from octflow.io.remote.archive import Item, upload
from octflow.io.remote.dandi import DandiArchive
from octflow.io.remote.pace import Pace
from octflow.io.remote.patience import Patience

sources = [Path(word) for word in sys.argv[4:]]
items = [Item(s, f"p/{s.name}", fast_id(s), size_bytes(s)) for s in sources]
bounds = {"timeout_s": 9, "pace": Pace(None), "patience": Patience(1, 0, 0)}
upload(DandiArchive(*sys.argv[1:4], **bounds), items)
"""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    # So that a server that goes on refusing takes a test seconds, not minutes.
    monkeypatch.setattr("dandi.dandiapi.REQUEST_RETRIES", 3)
    monkeypatch.setattr("dandi.files.zarr.sleep", lambda _: None)  # Before it asks for a checksum.
    with archive_server() as running:
        yield running


def opened(server, *, dandiset=DANDISET, key=KEY, timeout_s=5, attempts=2, pace=None):
    """The archive as a job of its own opens it."""
    patience = Patience(attempts, first_wait_s=0.01, longest_wait_s=0.01)
    bounds = {"timeout_s": timeout_s, "pace": pace or Pace(None), "patience": patience}
    return DandiArchive(server.api, dandiset, key, **bounds)


def send(server, *sources, **how):
    items = [item(source) for source in sources]
    return upload(opened(server, **how), items)


def item(source):
    return Item(source, f"p/{source.name}", fast_id(source), size_bytes(source))


def write(path, content):
    path.write_bytes(content)
    return path


def volume(path, value, n=4):
    path.parent.mkdir(exist_ok=True)
    group = zarr.open_group(path, mode="w")
    array = group.create_array("0", shape=(n, n, n), chunks=(2, 2, 2), dtype="f4")
    array[:] = np.arange(n**3).reshape(n, n, n) + value
    return path


def members(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_file_of_several_parts_arrives_once_with_the_digest_of_the_server(server, tmp_path):
    source = write(tmp_path / "tile.nii.gz", os.urandom(1 << 20) * 65)
    (asset,), sent = send(server, source)
    assert server.content("p/tile.nii.gz") == source.read_bytes()
    assert asset.digest == f"dandi:dandi-etag:{etag_of(source.read_bytes())}"
    assert (asset.digest[-2:], source.stat().st_size > PART_BYTES) == ("-2", True)
    assert sent == Sent(files=1, bytes=source.stat().st_size)
    puts = server.puts()
    assert send(server, source) == ([asset], Sent())
    assert (len(puts), server.puts()) == (2, puts)


def test_a_volume_arrives_file_by_file_and_once(server, tmp_path):
    source = volume(tmp_path / "v.ome.zarr", 1)
    (asset,), sent = send(server, source)
    assert server.content("p/v.ome.zarr") == members(source)
    assert asset.digest == f"dandi:dandi-zarr-checksum:{zarr_checksum_of(members(source))}"
    assert sent == Sent(files=len(members(source)), bytes=size_bytes(source))
    puts = server.puts()
    assert send(server, source) == ([asset], Sent())
    assert server.puts() == puts


def test_other_content_and_then_the_former_again_replace_what_is_there(server, tmp_path):
    for year, content in enumerate((b"first", b"second", b"first")):
        source = write(tmp_path / "aip.nii", content)
        # Older than what the archive has, which the client by itself takes for up to date.
        os.utime(source, (1e9 - year, 1e9 - year))
        send(server, source)
        assert server.content("p/aip.nii") == content
    assert len(server.assets) == 1
    assert len(server.puts()) == 2  # The archive keeps the former content.


def test_of_a_volume_that_changed_only_the_difference_is_sent_and_the_rest_removed(
    server, tmp_path
):
    source = volume(tmp_path / "v.ome.zarr", 1)
    extra = write(source / "0" / "c" / "0" / "9", b"of a former volume")
    send(server, source)
    extra.unlink()
    write(source / "0" / "c" / "0" / "0" / "0", b"another chunk")
    _, sent = send(server, source)
    assert server.content("p/v.ome.zarr") == members(source)
    assert sent == Sent(files=1, bytes=len(b"another chunk"))


def test_a_volume_is_replaced_by_another_and_by_its_older_content(server, tmp_path):
    for value in (1, 2, 1):
        source = volume(tmp_path / "v.ome.zarr", value)
        for path in source.rglob("*"):
            os.utime(path, (1e9, 1e9))
        (asset,), sent = send(server, source)
        assert server.content("p/v.ome.zarr") == members(source)
        assert asset.digest == f"dandi:dandi-zarr-checksum:{zarr_checksum_of(members(source))}"
        assert sent.files > 0
    assert len(server.assets) == 1


def test_a_connection_cut_after_a_part_costs_that_part_alone(server, tmp_path):
    source = write(tmp_path / "tile.nii.gz", b"head")
    os.truncate(source, PART_BYTES + 1000)
    server.faults = [("PUT", "/s3/.*/2$", happens) for happens in ("cut", 503)]
    send(server, source, attempts=1)
    assert server.content("p/tile.nii.gz") == source.read_bytes()
    assert sorted(path[-2:] for path in server.puts()) == ["/1", "/2"]
    assert server.faults == []


def test_a_server_that_is_slow_and_answers_is_waited_for(server, tmp_path):
    server.delay_s = 0.3
    begun_s = time.monotonic()
    sources = [write(tmp_path / f"{n}.nii", bytes([n])) for n in range(3)]
    _, sent = send(server, *sources, timeout_s=0.6, attempts=1)
    assert time.monotonic() - begun_s > 0.6
    assert (sent.files, len(server.puts())) == (3, 3)


@pytest.mark.parametrize(
    "faults",
    [
        [("PUT", "/s3/.*/1$", 503)] * 2,
        [("PUT", "/s3/.*/1$", "cut")],
        [("PUT", "/s3/.*/1$", "wrong")],
        [("POST", "/complete", "cut")],
        [("POST", "/uploads/initialize/", 503)],
        [("GET", "/assets/", "hang")],
    ],
    ids=["busy", "cut", "wrong-etag", "cut-at-the-end", "busy-at-first", "hangs"],
)
def test_what_passes_by_itself_is_outlasted(server, tmp_path, faults):
    server.faults, server.hang_s = list(faults), 1.0
    send(server, write(tmp_path / "aip.nii", b"content"), timeout_s=0.3)
    assert (server.faults, server.content("p/aip.nii")) == ([], b"content")


def test_a_chunk_that_arrived_wrong_is_sent_again(server, tmp_path):
    source = volume(tmp_path / "v.ome.zarr", 1, n=2)
    server.faults = [("PUT", "/s3/zarr/.*/c/0/0/0", "wrong"), ("PUT", "/s3/zarr/", "cut")]
    send(server, source)
    assert server.content("p/v.ome.zarr") == members(source)


def test_a_digest_that_differs_in_the_end_is_an_error(server, tmp_path):
    server.rotten = True
    source = write(tmp_path / "aip.nii", b"content")
    with pytest.raises(ArchiveError, match=r"p/aip.nii in the archive: found dandi:dandi-etag:"):
        send(server, source)


@pytest.mark.parametrize(
    ("status", "kind", "times", "said"),
    [
        (503, "transient", 6, "status 503"),
        (400, "data", 1, "status 400"),
        (401, "data", 1, "a key it does not know"),  # It was revoked meanwhile.
    ],
)
def test_only_what_may_pass_is_tried_again(server, tmp_path, status, kind, times, said):
    server.faults = [("POST", "/uploads/initialize/", status)] * 50
    with pytest.raises(ArchiveError, match=f"found {said}") as caught:
        send(server, write(tmp_path / "aip.nii", b"content"))
    # Three requests of the client in each of two attempts.
    assert (caught.value.kind, 50 - len(server.faults)) == (kind, times)
    assert server.assets == {}


def test_a_server_that_hangs_is_given_up(server, tmp_path):
    server.faults, server.hang_s = [("PUT", "/s3/", "hang")] * 2, 1.0
    begun_s = time.monotonic()
    with pytest.raises(ArchiveError, match="found no answer: ReadTimeout") as caught:
        send(server, write(tmp_path / "aip.nii", b"content"), timeout_s=0.2)
    assert (caught.value.kind, time.monotonic() - begun_s < 3) == ("transient", True)


def test_content_the_archive_has_under_another_name_is_not_sent(server, tmp_path):
    send(server, write(tmp_path / "one", b"content"))
    puts = server.puts()
    send(server, write(tmp_path / "two", b"content"))
    assert (server.content("p/two"), server.puts()) == (b"content", puts)


def test_a_volume_that_dandi_does_not_take_is_refused_before_anything_is_sent(server, tmp_path):
    source = volume(tmp_path / "v.ome.zarr", 1)
    deep = source / "1/2/3/4/5/6/7"
    deep.mkdir(parents=True)
    write(deep / "8", b"")
    with pytest.raises(DataError, match=r"v.ome.zarr: found .* deep, expected what DANDI accepts"):
        send(server, source)
    assert not [method for method, _, _ in server.requests if method != "GET"]


def test_content_that_is_not_what_the_record_says_is_refused(server, tmp_path):
    stale = item(write(tmp_path / "aip.nii", b"content"))
    write(tmp_path / "aip.nii", b"changed")
    with pytest.raises(DataError, match="as recorded"):
        upload(opened(server), [stale])
    assert server.puts() == []


def test_killed_half_way_nothing_that_is_finished_is_sent_again(server, tmp_path):
    sources = [write(tmp_path / "aip.nii", b"content"), volume(tmp_path / "v.ome.zarr", 1, n=6)]
    server.delay_s = 0.05
    words = [server.api, DANDISET, KEY, *map(str, sources)]
    with subprocess.Popen([sys.executable, "-c", KILLED, *words], cwd=ROOT) as run:
        while len(server.puts()) < 8 and run.poll() is None:
            time.sleep(0.02)
        os.kill(run.pid, signal.SIGKILL)
    time.sleep(0.3)
    server.delay_s = 0.0
    before = server.puts()
    _, sent = send(server, *sources)
    assert (len(before) > 7, server.content("p/v.ome.zarr")) == (True, members(sources[1]))
    assert len(set(server.puts())) == len(server.puts())
    assert len(server.puts()) == 1 + len(members(sources[1]))
    assert sent.files == len(server.puts()) - len(before)


ROOT = Path(__file__).parents[3]


def test_a_key_the_server_does_not_know_is_said_once_and_not_shown(server, tmp_path):
    with pytest.raises(ArchiveError, match="found a key it does not know") as caught:
        send(server, write(tmp_path / "aip.nii", b"content"), key="n0-such-key")
    assert (caught.value.kind, "n0-such-key" in str(caught.value)) == ("data", False)
    assert sum(path.endswith("/auth/token") for _, path, _ in server.requests) == 1


def test_a_dandiset_that_is_not_there_is_said_once(server, tmp_path):
    with pytest.raises(ArchiveError, match=f"dandiset 000053 of {server.api}: found ") as caught:
        send(server, write(tmp_path / "aip.nii", b"content"), dandiset="000053")
    assert caught.value.kind == "data"
    assert sum(path.endswith("/dandisets/000053/") for _, path, _ in server.requests) == 1


def test_no_more_bytes_are_sent_than_allowed(server, tmp_path):
    waits = []
    pace = Pace(1e5, now_s=lambda: sum(waits), sleep=waits.append)
    send(server, write(tmp_path / "aip.nii", bytes(200_000)), pace=pace)
    assert sum(waits) == pytest.approx(2.0, abs=0.2)  # With what is said about it, some kB.


def test_neither_key_nor_signatures_are_logged_or_said(server, tmp_path, caplog):
    server.faults = [("PUT", "/s3/.*/1$", 503)] * 50
    with caplog.at_level("DEBUG"), pytest.raises(ArchiveError) as caught:
        send(server, write(tmp_path / "aip.nii", b"content"), attempts=1)
    said = caplog.text + str(caught.value)
    assert "503 while sending PUT request" in said
    assert KEY not in said
    assert SIGNATURE not in said


def test_the_key_comes_from_the_variable_of_the_instance_or_from_a_file(monkeypatch, tmp_path):
    monkeypatch.setenv("LINC_STAGING_API_KEY", "of linc")
    assert key_of("linc-staging", None, None) == "of linc"
    path = write(tmp_path / "key", b"of a file\n")
    path.chmod(0o600)
    assert key_of("linc-staging", None, str(path)) == "of a file"
    path.chmod(0o644)
    with pytest.raises(DataError, match="found mode 644"):
        key_of("linc-staging", None, str(path))
    monkeypatch.delenv("DANDI_API_KEY", raising=False)
    with pytest.raises(SettingsError, match="DANDI_API_KEY: found nothing"):
        key_of("https://archive.lab/api", None, None)
