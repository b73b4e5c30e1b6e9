import pytest

from octflow.core.errors import DataError
from octflow.io.records import checked, product, read_record


@pytest.fixture
def listed(tmp_path):
    path = tmp_path / "a.nii"
    path.write_bytes(b"1234")
    return path, product(path, "aip", 3)


def test_an_unchanged_product_passes(listed):
    path, entry = listed
    assert checked(entry, digest=True) == path


@pytest.mark.parametrize(
    ("content", "digest", "message"),
    [(b"12345", False, "found 5 bytes, expected 4 bytes"), (b"4321", True, "found xxh3:")],
)
def test_a_changed_product_is_refused(listed, content, digest, message):
    path, entry = listed
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        checked(entry, digest=digest)


def test_a_vanished_product_is_refused(listed):
    path, entry = listed
    path.unlink()
    with pytest.raises(DataError, match="found no file"):
        checked(entry)


def test_a_file_that_is_no_record_is_named(tmp_path):
    (tmp_path / "x.started").write_text('{"schema": "other"}')
    with pytest.raises(DataError, match=r"x.started: found .*, expected a record"):
        read_record(tmp_path / "x.started")
