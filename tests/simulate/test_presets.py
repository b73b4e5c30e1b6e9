import pytest

from octflow.core.errors import SettingsError
from octflow.simulate.acquisition import exposures
from octflow.simulate.presets import preset


@pytest.mark.parametrize(("name", "tiles"), [("tiny", 16), ("demo", 54), ("full-tile", 1)])
def test_presets_have_their_number_of_tiles(name, tiles):
    assert len(exposures(preset(name))) == tiles


def test_tilted_tiles_are_narrower(tiny):
    normal, tilted = tiny.experiment.illuminations
    assert tilted.tile_size_x_px < normal.tile_size_x_px
    assert tilted.tilt_deg == -15


def test_unknown_preset_is_refused_with_the_known_names():
    with pytest.raises(SettingsError, match=r"'huge'.*demo"):
        preset("huge")


def test_settings_survive_a_round_trip(tiny):
    assert type(tiny).model_validate(tiny.plain()) == tiny
