import pytest

from octflow.core.names import RawName, parse_raw_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mosaic_001_image_0012_spectral_0345.nii", RawName(1, 12, "spectral")),
        ("MOSAIC_1_image_2_Spectral_3.NII", RawName(1, 2, "spectral")),
        ("mosaic_003_image_0001_spectral_0001.raw", RawName(3, 1, "spectral_12bit")),
        (
            "mosaic_003_image_0001_spectral_0001.raw.gz",
            RawName(3, 1, "spectral_12bit", compressed=True),
        ),
        ("mosaic_002_image_0007_processed.nii", RawName(2, 7, "complex")),
        ("mosaic_002_image_0007_processed_cropped.nii", RawName(2, 7, "complex")),
        (
            "mosaic_001_image_003_x_000100_y_-00200_z_000000_r_000000_normal_spectral_0003.nii",
            RawName(1, 3, "spectral"),
        ),
        ("mosaic_001_image_0012_aip.nii", RawName(1, 12, "processed", "aip")),
        ("Mosaic_1_Image_12_dbi.NII", RawName(1, 12, "processed", "dBI")),
        ("mosaic_001_image_0012_notes.nii", None),
        ("xmosaic_001_image_0012_spectral_0345.nii", None),
        (".part-12-mosaic_001_image_0012_spectral_0345.nii", None),
        ("mosaic_001_image_0012_spectral_0345.nii.tmp", None),
    ],
)
def test_names_of_raw_tiles_are_read(name, expected):
    assert parse_raw_name(name) == expected
