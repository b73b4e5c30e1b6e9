"""What is missing of a delivered tile is what the tile itself would have given."""

from pathlib import Path

import numpy as np
import pytest

from octflow.core.instrument import Instrument
from octflow.simulate.uniform import uniform_jones
from octflow.stages.process.completion import complete_tile
from octflow.stages.process.settings import ProcessSettings
from octflow.stages.process.tile import process_tile

VOLUMES = ("dBI", "R3D", "O3D")


class Memory:
    """A complex tile in memory."""

    finite = False

    path, n_z, n_y, n_x, qc = Path("tile"), 1000, 16, 16, {}

    def __init__(self, jones):
        self.jones = jones

    def lines(self):
        yield slice(0, self.n_y), self.jones.copy()


@pytest.fixture(scope="module")
def jones():
    return uniform_jones(5e-4, snr_db=25)[0]


def processed(jones, settings):
    return process_tile(Memory(jones), settings.surface, {}, Instrument(), settings).arrays


def completed(arrays, settings, *roles):
    delivered = {role: arrays[role] for role in roles}
    return complete_tile(delivered, Path("tile"), settings.surface, Instrument(), settings)


@pytest.mark.parametrize("birefringence", ["slope", "fold"])
def test_maps_made_of_delivered_volumes_are_those_of_the_tile(jones, birefringence):
    settings = ProcessSettings(birefringence=birefringence, scattering=True)
    whole = processed(jones, settings)
    found = completed(whole, settings, *VOLUMES)
    assert set(found.arrays) == set(whole) - set(VOLUMES)
    for role, array in found.arrays.items():
        np.testing.assert_array_equal(array, whole[role])
    assert found.qc["snr_db"] > 20


def test_only_what_volumes_allow_is_made_and_nothing_delivered_is_made_again(jones):
    settings = ProcessSettings()
    whole = processed(jones, settings)
    found = completed(whole, settings, "dBI", "ori", "mip")
    assert set(found.arrays) == {"surf", "surfraw", "aip"}
    found = completed(whole, settings, "dBI", "R3D")
    assert set(found.arrays) == {"surf", "surfraw", "aip", "mip", "ret", "biref"}


def test_a_delivered_surface_places_the_window(jones):
    settings = ProcessSettings(enface_depth_px=30)
    whole = processed(jones, settings)
    deeper = whole | {"surf": whole["surf"] + 40}
    below = processed(jones, ProcessSettings(enface_depth_px=30, enface_offset_px=40))
    found = completed(deeper, settings, "dBI", "surf")
    np.testing.assert_array_equal(found.arrays["aip"], below["aip"])
    np.testing.assert_array_equal(found.arrays["surfraw"], whole["surfraw"])
