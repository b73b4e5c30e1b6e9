import numpy as np
import pytest

from octflow.core.errors import DataError
from octflow.core.layout import flag
from octflow.core.names import mosaic_name
from octflow.io.nifti import read_nifti, write_nifti
from octflow.io.records import product
from octflow.io.tilemap import Tilemap, write_tilemap
from octflow.simulate.accuracy import accuracy_table
from octflow.simulate.geometry import focus_pattern, tile_positions
from octflow.simulate.presets import preset
from octflow.simulate.truth import write_truth

from flags import write_flag

SHIFT = np.array([2.0, -1.0])
VOXEL_MM = (0.01, 0.01, 0.0025)


class Forged:
    """A finished run whose products are the truth with known errors."""

    def __init__(self, folder):
        self.folder, self.simulation = folder, preset("tiny")
        self.experiment = self.simulation.experiment
        write_truth(self.simulation, folder)
        for name in ("normal", "tilted"):
            self.find(name)
        for mosaic in range(1, 5):
            self.process(mosaic)
            self.stitch(mosaic)
        for slice_id in (1, 2):
            self.register(slice_id)

    def true(self, mosaic, name):
        return read_nifti(self.folder / "truth" / mosaic_name(mosaic, name, ".nii")).copy()

    def shifted(self, array):
        """The same map in a frame whose origin lies elsewhere."""
        return np.roll(array, SHIFT.astype(int)[::-1], axis=(-2, -1))

    def write(self, name, array):
        path = self.folder / f"{name}.nii"
        write_nifti(path, array.astype(np.float32), voxel_size_mm=VOXEL_MM)
        return product(path, name.split("-")[0])

    def flag(self, rule, outputs, unit, qc=None, **where):
        outputs = [
            one.model_copy(update={"path": str(one.path).removeprefix(f"{self.folder}/")})
            for one in outputs
        ]
        path = self.folder / flag(rule, **where)
        write_flag(path, rule, outputs=outputs, qc=qc or {}, unit=unit)

    def find(self, name):
        mosaic = self.experiment.mosaic_of(1, name)
        positions = tile_positions(self.simulation, mosaic)
        # Two tiles out of four lie 0.4 px apart from where they should.
        found = {t: (x + SHIFT[0] + 0.4 * (t % 2), y + SHIFT[1]) for t, (x, y) in positions.items()}
        path = self.folder / f"tilemap-{name}.j2"
        write_tilemap(path, Tilemap(name, VOXEL_MM, (6, 6), found, self.experiment.grid_of(mosaic)))
        where = {"illumination": name}
        self.flag("find_tilemap", [product(path, "tilemap")], where, **where)
        focus = read_nifti(self.folder / "truth" / f"focus-{name}.nii") + 0.25
        self.flag("find_focus", [self.write(f"focus-{name}", focus)], where, **where)

    def process(self, mosaic):
        row = self.experiment.illumination_of(mosaic)
        pattern = focus_pattern(row, (mosaic - 1) % 2, self.simulation.focus_scale)
        surface = self.true(mosaic, "surface")
        for batch in self.experiment.batches_of(mosaic):
            outputs = []
            for tile in self.experiment.tiles_of(mosaic, batch):
                x, y = tile_positions(self.simulation, mosaic)[tile]
                n_y, n_x = pattern.shape
                near = surface[round(y) : round(y) + n_y, round(x) : round(x) + n_x]
                near = np.pad(near, [(0, n_y - near.shape[0]), (0, n_x - near.shape[1])], "edge")
                one = self.write(f"surf-{mosaic}-{tile}", near + pattern + 1.5)
                outputs.append(one.model_copy(update={"tile": tile}))
            where = {"mosaic": mosaic, "batch": batch}
            self.flag("process_batch", outputs, where, **where)

    def stitch(self, mosaic):
        biref = self.write(
            f"biref-{mosaic}", self.shifted(self.true(mosaic, "birefringence")) * 1.07
        )
        ori = self.write(f"ori-{mosaic}", self.shifted(self.true(mosaic, "axis")) + 2)
        tissue = self.true(mosaic, "tissue")
        tissue[::5] = 0
        mask = self.write(f"mask-{mosaic}", self.shifted(tissue))
        self.flag("stitch_enface", [biref, ori, mask], {"mosaic": mosaic}, mosaic=mosaic)

    def register(self, slice_id):
        mosaic = 2 * slice_id - 1
        phi, alpha = (np.deg2rad(self.true(mosaic, n)) for n in ("azimuth", "inclination"))
        axis = [np.cos(alpha) * np.cos(phi), np.cos(alpha) * np.sin(phi), np.sin(alpha)]
        t = np.deg2rad(5)
        turned = [
            axis[0],
            np.cos(t) * axis[1] - np.sin(t) * axis[2],
            np.sin(t) * axis[1] + np.cos(t) * axis[2],
        ]
        field = -self.shifted(np.stack(turned))[:, None]
        outputs = [
            self.write(f"axis3d-{slice_id}", field),
            self.write(f"valid-{slice_id}", field[0, 0] < 9),
        ]
        self.flag(
            "register_slice", outputs, {"slice": slice_id}, {"fixed": "normal"}, slice=slice_id
        )


@pytest.fixture(scope="module")
def forged(tmp_path_factory):
    return Forged(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def table(forged):
    return {row.name: row for row in accuracy_table(forged.folder, forged.folder / "truth")}


@pytest.mark.parametrize("name", ["normal", "tilted"])
def test_planted_errors_are_measured(table, name):
    assert table[f"surface, {name}"].value == pytest.approx(1.5, abs=0.15)
    assert table[f"focus plane, {name}"].value == pytest.approx(0.25, abs=1e-5)
    assert table[f"birefringence in bundles, {name}"].value == pytest.approx(0.07, abs=0.03)
    assert table[f"in-plane axis, {name}"].value == pytest.approx(2, abs=0.3)
    assert table[f"tile positions, {name}"].value == pytest.approx(0.2, abs=1e-3)
    # Of the mask every fifth line is left out: 2 * 0.8 / 1.8 is what Dice makes of it.
    assert table[f"tissue mask, {name}"].value == pytest.approx(1 - 2 * 0.8 / 1.8, abs=0.04)


def test_axes_in_space_are_compared_without_their_sign(forged, table):
    assert 3 < table["3-D axis"].value < 5.0


def test_rows_know_whether_they_keep_their_bounds(table):
    # Of what was planted, surface, birefringence and 3-D axis are beyond their bounds.
    assert table["tile positions, tilted"].passed
    assert not table["surface, normal"].passed
    assert all(row.passed == (row.value <= row.bound) for row in table.values())
    assert all(row.limit for row in table.values())


def test_a_run_that_is_not_finished_is_named(forged, tmp_path):
    with pytest.raises(DataError, match="expected the flag of a finished run"):
        accuracy_table(tmp_path, forged.folder / "truth")
