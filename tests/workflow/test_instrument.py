"""Presets and calibration tables of a configuration."""

from itertools import pairwise

import pytest
import yaml

from octflow.core.errors import DataError, SettingsError
from octflow.core.instrument import Instrument
from octflow.workflow.config import read_config
from octflow.workflow.instrument import preset_yaml
from octflow.workflow.session import open_session

TABLE = "".join(f"{1146.5 + 0.16 * p}, {p}, {p + 1}\n" for p in (10, 900, 2000))


@pytest.fixture
def base(tmp_path):
    """A pipeline folder with one preset, which names files beside itself."""
    folder = tmp_path / "config" / "instruments"
    folder.mkdir(parents=True)
    held = {"name": "lab", "voxel_x_um": 12, "dispersion_file": "d.dat", "wavelength_um": 1.31}
    (folder / "lab.yaml").write_text(yaml.safe_dump({"instrument": held}))
    (folder / "d.dat").write_bytes(b"1")
    (folder / "table.txt").write_text(TABLE)
    return tmp_path


def instrument(base, **said):
    return read_config({"instrument": said}, base).instrument


def test_a_preset_holds_what_the_configuration_does_not_say(base):
    found = instrument(base, preset="lab", wavelength_um=1.06)
    assert (found.name, found.voxel_x_um, found.wavelength_um) == ("lab", 12, 1.06)
    assert found.dispersion_file == str(base / "config" / "instruments" / "d.dat")


def test_a_preset_may_be_a_path_and_what_it_holds_may_be_taken_back(base):
    found = instrument(base, preset="config/instruments/lab.yaml", dispersion_file=None)
    assert (found.name, found.dispersion_file) == ("lab", None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lap", r"instrument.preset lap: found no file .*lap.yaml, expected a path or one of lab"),
        ("config/instruments/table.txt", "expected one section, instrument"),
    ],
)
def test_what_is_no_preset_is_refused(base, name, message):
    with pytest.raises(SettingsError, match=message):
        instrument(base, preset=name)


def test_a_wrong_value_in_a_preset_is_named(base):
    (base / "bad.yaml").write_text("instrument: {voxel_x_um: -1}")
    with pytest.raises(SettingsError, match=r"instrument.voxel_x_um: found -1"):
        instrument(base, preset="bad.yaml")


def test_wavelength_maps_come_from_the_table(base):
    found = instrument(base, calibration_file="config/instruments/table.txt")
    assert [c.slope_nm for c in found.cameras] == pytest.approx([0.16, 0.16])
    assert [c.offset_nm for c in found.cameras] == pytest.approx([1146.5, 1146.34])
    assert found.calibration_residual_nm == pytest.approx(0, abs=1e-9)


def test_a_table_that_is_not_straight_stops_before_any_job(base):
    path = base / "config" / "instruments" / "table.txt"
    path.write_text(TABLE + "1300.2 900 901\n")
    with pytest.raises(DataError, match=r"table.txt: found 1300.2 nm at .* from the straight line"):
        instrument(base, calibration_file=str(path))


def test_another_content_of_any_file_is_another_param(base):
    values = {"project": {"folder": "p"}, "instrument": {"preset": "lab"}}
    values["instrument"]["calibration_file"] = "config/instruments/table.txt"
    folder, seen = base / "config" / "instruments", []
    for name, content in (
        ("d.dat", "2"),
        ("table.txt", TABLE.replace("2000,", "2000.01,")),
        ("lab.yaml", (folder / "lab.yaml").read_text().replace("12", "11")),
    ):
        seen.append(open_session(values, base).instrument)
        (folder / name).write_text(content)
    seen.append(open_session(values, base).instrument)
    assert all(a != b for a, b in pairwise(seen))
    assert seen[0]["preset"] == "../config/instruments/lab.yaml"
    assert seen[0]["calibration_file"] == "../config/instruments/table.txt"


def test_a_written_preset_gives_the_same_instrument(base):
    known = Instrument(voxel_y_um=7, wavelength_um=1.06)
    (base / "made.yaml").write_text(
        preset_yaml(known, dispersion_file="config/instruments/d.dat", calibration_file=None)
    )
    found = instrument(base, preset="made.yaml")
    files = {"preset": None, "dispersion_file": None}
    assert found.model_copy(update=files) == known
    assert found.dispersion_file == str(base / "config/instruments/d.dat")
