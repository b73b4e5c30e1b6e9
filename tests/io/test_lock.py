import json
import multiprocessing
import os
import resource
import signal
import threading
import time
from dataclasses import asdict, replace

import pytest

from octflow.io import lock as locks
from octflow.io.lock import Lock, LockedError, LostLockError

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def lock(tmp_path):
    return Lock(tmp_path / "lock", lease_s=0.4)


def elsewhere(lock):
    """Let a process of another host have the lock; return the file that says so."""
    lock.folder.mkdir()
    holder = replace(locks._holder("a long job"), host="auxiliary", place="elsewhere")
    path = lock.folder / "lock-00000007"
    path.write_text(json.dumps(asdict(holder)))
    return path


def count_up(lock, counter, times):
    for _ in range(times):
        with lock.holding("count"):
            counter.write_text(str(int(counter.read_text()) + 1))


def hold(lock, held):
    with lock.holding("hold"):
        held.set()
        time.sleep(60)


def test_processes_that_contend_never_hold_it_at_once(lock, tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    processes = [FORK.Process(target=count_up, args=(lock, counter, 40)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert counter.read_text() == "240"
    assert len(list(lock.folder.iterdir())) == 1


def test_a_lock_whose_holder_was_killed_is_had_at_once(lock):
    held = FORK.Event()
    process = FORK.Process(target=hold, args=(lock, held))
    process.start()
    held.wait()
    assert lock.holder().lives
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with Lock(lock.folder, lease_s=1000).holding("next", wait_s=0):
        assert lock.holder().pid == os.getpid()


def test_a_second_holder_is_refused_with_host_process_time_and_purpose(lock):
    with lock.holding("mark slice 1"):
        holder = lock.holder()
        with pytest.raises(LockedError) as error, Lock(lock.folder).holding("x", wait_s=0.1):
            pass
    said = str(error.value)
    assert f"process {os.getpid()} on {holder.host}, since {holder.since} (mark slice 1)" in said
    assert lock.holder() is None


@pytest.mark.parametrize("clock_off_s", [-1e6, 0, 1e6])
def test_a_host_that_is_gone_loses_it_after_the_lease_whatever_its_clock(lock, clock_off_s):
    path = elsewhere(lock)
    os.utime(path, (time.time() + clock_off_s,) * 2)
    began_s = time.monotonic()
    with lock.holding("next", wait_s=5):
        assert time.monotonic() - began_s >= lock.lease_s
    assert lock.holder() is None


def test_a_host_that_gives_signs_keeps_it_beyond_the_lease(lock):
    path, ended = elsewhere(lock), threading.Event()

    def beat():
        while not ended.wait(0.1):
            os.utime(path)

    beats = threading.Thread(target=beat)
    beats.start()
    try:
        with pytest.raises(LockedError, match="on auxiliary"), lock.holding("next", wait_s=1):
            pass
    finally:
        ended.set()
        beats.join()


def test_a_holder_gives_signs_while_it_works(lock):
    with lock.holding("work"):
        path = lock.folder / "lock-00000001"
        os.utime(path, (1, 1))
        time.sleep(0.3)
        assert path.stat().st_mtime > 1


def test_a_holder_that_was_passed_over_finds_out_and_leaves_the_next_alone(lock):
    with lock.holding("stopped for long"):
        lock.check()
        assert lock.take_away(lock.holder())
        with Lock(lock.folder).holding("next"), pytest.raises(LostLockError, match="taken over"):
            lock.check()
    assert lock.holder() is None


def test_a_lock_that_a_full_disk_keeps_from_being_given_back_is_free_after_the_lease(lock):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with lock.holding("work"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in lock.folder.iterdir()] == ["lock-00000001"]
    with lock.holding("next", wait_s=5):
        pass
    assert lock.holder() is None


def test_what_is_read_is_read_again_where_it_was_changed_meanwhile(lock, tmp_path):
    reads = []

    def load():
        reads.append(len(reads))
        if len(reads) == 1:
            with Lock(lock.folder).holding("change"):
                pass
        return reads[-1]

    assert lock.unchanged(load) == 1


def test_reading_writes_nothing_and_waits_for_no_dead_holder(lock):
    assert lock.unchanged(lambda: "read", wait_s=0) == "read"
    assert not lock.folder.exists()
    elsewhere(lock)
    with pytest.raises(LockedError, match="auxiliary"):
        lock.unchanged(lambda: "read", wait_s=0.1)


def test_readers_wait_for_a_host_that_is_gone_no_longer_than_the_lease(lock):
    elsewhere(lock)
    began_s = time.monotonic()
    assert lock.unchanged(lambda: "read", wait_s=5) == "read"
    assert time.monotonic() - began_s >= lock.lease_s


def test_what_is_read_while_a_host_that_seemed_gone_gives_a_sign_is_read_again(lock):
    path, reads = elsewhere(lock), []

    def load():
        reads.append(len(reads))
        if len(reads) == 1:
            os.utime(path, (1, 1))
        return reads[-1]

    assert lock.unchanged(load, wait_s=5) == 1


def test_a_lock_is_not_taken_away_from_who_had_it_meanwhile(lock):
    path = elsewhere(lock)
    gone = lock.holder()
    path.write_bytes(b"free\n")
    with lock.holding("next"):
        assert not lock.take_away(gone)
        lock.check()


def test_a_file_that_a_power_cut_emptied_is_somebody_unknown(lock):
    elsewhere(lock).write_bytes(b"")
    assert "unknown" in str(lock.holder())
    with lock.holding("next", wait_s=5):
        pass
