import logging
import subprocess
import sys
import threading
import time

import pytest

from octflow.services.watch.companions import Companion, end_all
from octflow.services.watch.hints import listening

log = logging.getLogger("octflow.test")

FULL = (
    "import logging, pathlib, sys, time\n"
    "from octflow.services.watch.companions import Companion, end_all\n"
    "from octflow.services.watch.hints import listening\n"
    "logging.basicConfig(stream=sys.stdout, format='%(message)s')\n"
    "work = listening(pathlib.Path(sys.argv[1]), print)\n"
    "one = Companion('change notification', work, logging.getLogger(), first_wait_s=0.05)\n"
    "one.start()\n"
    "time.sleep(0.5)\n"
    "end_all([one], 5, logging.getLogger())\n"
)


@pytest.fixture
def hints(tmp_path):
    """A folder that is listened to, and what counts its changes."""
    (tmp_path / "raw").mkdir()
    changed = threading.Event()
    companion = Companion("change notification", listening(tmp_path / "raw", changed.set), log)
    companion.start()
    time.sleep(0.3)
    yield tmp_path / "raw", changed
    end_all([companion], 5, log)
    assert companion.ends_within(0)


def test_a_file_renamed_into_place_and_one_that_grows_are_hints(hints):
    folder, changed = hints
    (folder.parent / "tile").write_text("tile")
    (folder.parent / "tile").rename(folder / "tile")
    assert changed.wait(5)
    time.sleep(0.5)
    changed.clear()
    with (folder / "tile").open("a") as tile:
        tile.write("more")
    assert changed.wait(5)


def test_reading_is_no_hint(hints):
    folder, changed = hints
    (folder / "tile").write_text("tile")
    assert changed.wait(5)
    time.sleep(0.5)
    changed.clear()
    assert (folder / "tile").read_text() == "tile"
    assert not changed.wait(0.5)


def test_where_the_system_has_no_room_for_listeners_one_line_says_so(tmp_path):
    """In a name space of its own, where the limit is none at all."""
    limit = 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"'
    own = ["unshare", "--user", "--map-root-user", "sh", "-c", limit, "sh"]
    if subprocess.run([*own, "true"], capture_output=True).returncode:
        pytest.skip("no right to a name space")
    command = [*own, sys.executable, "-c", FULL, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == 1
    assert said[0].startswith("change notification: ")
