import pytest

from halfway import Project


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Nothing has come."""
    made = Project(tmp_path)
    monkeypatch.chdir(made.project)
    return made
