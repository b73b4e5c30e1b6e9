import os
import shutil

import pytest

from octflow.services.watch.lock import WatchedError, sole_watcher


def test_a_project_that_is_away_is_told_and_not_made_anew(tmp_path):
    project = tmp_path / "project"
    with sole_watcher(project) as lock:
        lock.check()
        project.rename(tmp_path / "away")
        with pytest.raises(FileNotFoundError, match="the project is away"):
            lock.check()
        assert not project.exists()
        project.mkdir()  # A mount point without its mount.
        with pytest.raises(FileNotFoundError):
            lock.check()
        project.rmdir()
        (tmp_path / "away").rename(project)
        lock.check()


def test_the_lock_is_taken_again_where_the_project_was_mounted_anew(tmp_path):
    project = tmp_path / "project"
    with sole_watcher(project) as lock:
        shutil.copytree(project, tmp_path / "other")
        project.rename(tmp_path / "away")
        (tmp_path / "other").rename(project)
        lock.check()
        with pytest.raises(WatchedError, match=f"process {os.getpid()} "):
            sole_watcher(project).__enter__()
    with sole_watcher(project):
        pass


def test_a_project_that_comes_back_with_another_watcher_is_refused(tmp_path):
    project = tmp_path / "project"
    with sole_watcher(project) as lock:
        project.rename(tmp_path / "away")
        with sole_watcher(project), pytest.raises(WatchedError, match="expected none"):
            lock.check()
