"""Complex tiles made by the microscope that cannot be used: one line each, the rest goes on."""

import os

import numpy as np
import pytest

from octflow.io.records import read_record

import runs

pytestmark = pytest.mark.slow

FLAGS = [f"mosaic-001/state/batch-00{batch}.complex" for batch in (1, 2)]
WITHOUT_RIGHTS = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"]


def raw(folder, tile):
    return next((folder / "raw").glob(f"mosaic_001_image_{tile:04d}_*"))


def rewrite(path, change):
    """Change the content of a raw tile, not that of what it is linked to."""
    content = bytearray(path.read_bytes())
    change(content)
    path.unlink()
    path.write_bytes(content)


def with_nan(content):
    content[352:1352] = np.full(250, np.nan, np.float32).tobytes()


def of_int16(content):
    content[70:74] = np.array([4, 16], "<i2").tobytes()  # datatype and bitpix


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Tile 1 holds NaN, tile 2 integers, tile 3 may not be read, and a name links to itself."""
    base = tmp_path_factory.mktemp("delivered")
    simulated = runs.simulate(base / "simulated", "tiny", "--format", "complex")
    folder = runs.acquisition(simulated, base / "tiny")
    rewrite(raw(folder, 1), with_nan)
    rewrite(raw(folder, 2), of_int16)
    rewrite(raw(folder, 3), len)
    raw(folder, 3).chmod(0)
    loop = folder / "raw" / "mosaic_004_image_0009_processed.nii"
    loop.symlink_to(loop.name)
    # A superuser may read everything, unless that right is laid down.
    before = WITHOUT_RIGHTS if os.geteuid() == 0 else []
    return folder, *runs.snakemake(folder, *FLAGS, before=before)


def test_every_bad_tile_is_named_with_what_was_found_and_expected(run):
    folder, status, said = run
    assert status == 0, said
    assert f"{raw(folder, 1).name}: found 250 NaN or infinite samples, expected finite" in said
    assert f"{raw(folder, 2).name}: found type int16, expected float32" in said
    assert f"{raw(folder, 3).name}: found permission denied, expected a file that can" in said
    assert "Traceback" not in said


def test_the_others_are_there(run):
    records = [read_record(run[0] / "project" / flag) for flag in FLAGS]
    assert [r.tiles.ok for r in records] == [[], [4]]
    assert [[t.tile for t in r.tiles.failed] for r in records] == [[1, 2], [3]]
