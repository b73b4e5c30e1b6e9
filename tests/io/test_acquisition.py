from octflow.io.acquisition import list_raw_tiles


def test_a_link_to_nothing_and_other_files_are_passed_over(tmp_path):
    (tmp_path / "mosaic_001_image_0001_spectral_0001.nii").write_bytes(b"12")
    (tmp_path / "mosaic_001_image_0002_spectral_0002.nii").symlink_to(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("x")
    found = list(list_raw_tiles(tmp_path))
    assert [(f.name.mosaic, f.name.tile, f.size_bytes) for f in found] == [(1, 1, 2)]


def test_an_acquisition_that_has_not_begun_is_empty(tmp_path):
    assert list(list_raw_tiles(tmp_path / "raw")) == []
