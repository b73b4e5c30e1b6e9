import hashlib

from octflow.io.digest import content_id, fast_id, raw_id, size_bytes


def test_raw_id_is_the_sha256_of_the_bytes():
    assert raw_id(b"octflow") == "sha256:" + hashlib.sha256(b"octflow").hexdigest()


def test_content_id_ignores_the_order_of_keys_but_not_values():
    assert content_id({"a": 1, "b": [2, 3]}) == content_id({"b": [2, 3], "a": 1})
    assert content_id({"a": 1}) != content_id({"a": 2})


def test_a_folder_is_known_by_names_and_contents(tmp_path):
    (tmp_path / "a").write_bytes(b"12")
    before = fast_id(tmp_path)
    assert size_bytes(tmp_path) == 2
    (tmp_path / "a").rename(tmp_path / "b")
    assert fast_id(tmp_path) != before
