"""Complex tiles that GNU Octave reconstructs: the same, judged the same, named in the record."""

import gzip

import numpy as np
import pytest

from octflow.core.errors import OctflowError
from octflow.core.experiment import Illumination
from octflow.core.instrument import Instrument
from octflow.core.record import Product, Tiles
from octflow.io.complex_tiles import read_complex_tile
from octflow.io.nifti import read_voxel_size_mm
from octflow.stages.convert.files import convert_batch
from octflow.stages.convert.settings import ConvertSettings

import matlab_programs as programs
from flags import write_flag
from octave import needs_octave

pytestmark = needs_octave

N_X, N_Y = 5, 4
ROW = Illumination(name="normal", grid_size_x=1, tile_size_x_px=N_X, tile_size_y_px=N_Y)
UNIT = {"slice": 1, "mosaic": 1, "batch": 7, "illumination": "normal"}


@pytest.fixture
def started(tmp_path):
    """The flag of a batch of three tiles, the second of which is cut short."""
    rng = np.random.default_rng(1)
    listed = []
    for tile in (1, 2, 3):
        path = tmp_path / f"mosaic_001_image_{tile:04d}_spectral_{tile:04d}.nii"
        counts = rng.integers(0, 4096, (N_Y, 2, N_X, 2048)).astype("<u2")
        path.write_bytes((bytes(352) + counts.tobytes())[: -1 if tile == 2 else None])
        there = {"id": f"stat:{tile}", "path": str(path), "bytes": path.stat().st_size}
        listed.append(Product(role="raw", tile=tile, **there))
    return write_flag(
        tmp_path / "started",
        "start_batch",
        inputs=listed,
        tiles=Tiles(ok=[1, 2, 3]),
        parameters={"acquisition": {"format": "spectral"}},
        unit=UNIT,
    )


def convert(started, folder, backend="octave", **said):
    settings = ConvertSettings(backend=backend, backend_id="sha256:of-functions")
    return convert_batch(
        started=started,
        folder=folder,
        illumination=ROW,
        instrument=Instrument(),
        settings=settings,
        matlab=programs.settings(**said),
        threads=2,
    )


def compress(started, tmp_path, *, damaged):
    """Compress the raw tiles of a batch; one is cut short afterwards."""
    for tile in (1, 2, 3):
        (path,) = tmp_path.glob(f"mosaic_001_image_{tile:04d}_spectral_*.nii")
        packed = gzip.compress(path.read_bytes(), 1)
        (tmp_path / f"{path.name}.gz").write_bytes(packed[: -100 if tile == damaged else None])
        path.unlink()
    started.write_text(started.read_text().replace('.nii"', '.nii.gz"'))


def jones(folder, tile):
    path = folder / f"mosaic_001_image_{tile:04d}_complex.nii"
    return read_complex_tile(path, N_X, N_Y)


def test_octave_gives_what_python_gives(tmp_path, started):
    here = convert(started, tmp_path / "here", "python")
    there = convert(started, tmp_path / "there")
    expected, found = jones(tmp_path / "here", 3), jones(tmp_path / "there", 3)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    assert there.inputs == here.inputs
    assert (there.qc, there.tiles) == (here.qc, here.tiles)
    path = tmp_path / "there" / "mosaic_001_image_0003_complex.nii"
    assert read_voxel_size_mm(path) == pytest.approx(Instrument().voxel_size_mm)


def test_compressed_tiles_are_unpacked_for_it_and_a_damaged_one_fails_alone(tmp_path, started):
    convert(started, tmp_path / "plain")
    compress(started, tmp_path, damaged=1)
    outcome = convert(started, tmp_path / "packed")
    assert outcome.tiles.ok == [3]
    assert [tile.tile for tile in outcome.tiles.failed] == [1, 2]
    assert "found damaged gzip" in outcome.tiles.failed[0].reason
    np.testing.assert_array_equal(jones(tmp_path / "packed", 3), jones(tmp_path / "plain", 3))
    assert sorted(path.suffix for path in tmp_path.glob("mosaic*")) == [".gz"] * 3


def test_the_tile_that_is_cut_short_fails_alone_and_the_backend_is_named(tmp_path, started):
    outcome = convert(started, tmp_path)
    assert outcome.tiles.ok == [1, 3]
    assert "expected 164192 bytes" in outcome.tiles.failed[0].reason
    assert outcome.backend.version.startswith("GNU Octave ")
    assert (outcome.backend.name, outcome.backend.id) == ("octave", "sha256:of-functions")
    assert list(tmp_path.glob(".backend*")) == []


def test_a_batch_that_is_done_starts_no_program_and_still_names_it(tmp_path, started):
    before = convert(started, tmp_path)
    starts = programs.program(tmp_path, "octave", f'touch "{tmp_path / "started-again"}"; exit 1\n')
    assert convert(started, tmp_path, octave=starts).backend == before.backend
    # The tile that failed is tried again.
    assert (tmp_path / "started-again").exists()


def test_what_was_finished_before_a_kill_is_not_done_again_and_half_a_tile_is(tmp_path, started):
    lab = programs.functions(tmp_path / "lab", run_process="")
    (tmp_path / "lab" / "write_complex.m").write_text(
        "function write_complex(path, j1, j2, voxel_mm)\n"
        "shape = [4 * size(j1, 2), size(j1, 3), size(j1, 1)];\n"
        "file = start_nifti(path, shape, 'single', voxel_mm);\n"
        "third = ~isempty(strfind(path, 'tile-0003'));\n"
        "fwrite(file, zeros(4 * numel(j1) / (1 + third), 1), 'single'); fclose(file);\n"
        "rename([path, '.part'], path);\n"
        "if third, kill(getpid(), 9), end\n"
        "end\n"
    )
    with pytest.raises(OctflowError, match=r"tile 3: .* killed by SIGKILL") as failed:
        convert(started, tmp_path / "out", functions=lab)
    assert failed.value.kind == "resource"
    assert len(list((tmp_path / "out").glob("*_complex.nii"))) == 1
    made = tmp_path / "out" / "mosaic_001_image_0001_complex.nii"
    at = made.stat().st_mtime_ns
    assert convert(started, tmp_path / "out").tiles.ok == [1, 3]
    assert made.stat().st_mtime_ns == at
