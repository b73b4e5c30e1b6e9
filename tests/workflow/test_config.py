import json
import tomllib
from pathlib import Path

import pytest
import yaml

from octflow.cli.cmd_simulate import config_of
from octflow.core.errors import SettingsError
from octflow.simulate.presets import preset
from octflow.workflow.config import GENERATED, default_yaml, json_schema, read_config

CONFIG = Path(__file__).parents[2] / "config"


@pytest.mark.parametrize("name", GENERATED)
def test_generated_files_are_in_step_with_the_models(name):
    assert (CONFIG / name).read_text() == GENERATED[name](), "run `make generated`"


def test_the_defaults_are_a_configuration():
    assert read_config(yaml.safe_load(default_yaml())) == read_config({})


def test_the_shipped_configuration_describes_the_demo():
    shipped = read_config(yaml.safe_load((CONFIG / "config.yaml").read_text()))
    simulated = read_config(config_of(preset("demo"), CONFIG.parent / "phantom"))
    assert shipped.experiment == simulated.experiment
    assert (shipped.volume, shipped.stack) == (simulated.volume, simulated.stack)
    assert shipped.instrument.cameras == simulated.instrument.cameras
    assert shipped.project.slice_thickness_um == simulated.project.slice_thickness_um


@pytest.mark.parametrize(("kind", "by_python"), [("spectral", []), ("complex", ["convert"])])
def test_a_simulation_asks_for_another_backend_wherever_it_may_be_asked_for(kind, by_python):
    simulation = preset("tiny").model_copy(update={"raw_kind": kind})
    config = read_config(config_of(simulation, CONFIG.parent / "phantom", "octave"))
    found = {name: part.backend for name, part in config if hasattr(part, "backend")}
    assert found.keys() >= {"convert", "process"}
    assert [name for name, backend in found.items() if backend == "python"] == by_python


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stitch": {"search_pixels": 3}}, r"stitch.search_pixels: found 3"),
        ({"instrument": {"wavelength_um": "red"}}, r"instrument.wavelength_um: found 'red'"),
        ({"experiment": {"grid_size_y": 0}}, r"experiment.grid_size_y: found 0"),
        ({"stitch": {"template_slices": []}}, r"stitch.template_slices: found \[\]"),
        (
            {"stitch": {"coordinates": {"tiled": "a.txt"}}},
            r"stitch.coordinates: found tiled, expected normal, tilted",
        ),
        (
            {"acquisition": {"interleaved": True}},
            r"illuminations: found tile_size_x_px normal: 350, tilted: 200, expected the same",
        ),
        (
            {"acquisition": {"interleaved": True, "format": "complex"}},
            r"acquisition.interleaved: found format complex, expected spectral or spectral_12bit",
        ),
        (
            {"convert": {"backend": "octave", "complex": "none"}},
            r"convert.complex: found none, expected keep: convert.backend octave needs files",
        ),
        (
            {"process": {"backend": "matlab"}, "convert": {"complex": "temporary"}},
            r"convert.complex: found temporary, expected keep: process.backend matlab needs files",
        ),
        (
            {"convert": {"backend": "octave"}, "acquisition": {"format": "complex"}},
            r"convert.backend: found octave, expected python: of acquisition.format complex",
        ),
        (
            {
                "process": {"backend": "octave"},
                "acquisition": {"format": "processed_with_spectral"},
            },
            r"process.backend: found octave, expected python, which completes",
        ),
        (
            {"process": {"backend": "octave", "surface": "surface.nii"}},
            r"process.surface: found surface.nii, expected a rule or an index",
        ),
        (
            {"process": {"backend": "octave"}, "matlab": {"functions": "nowhere"}},
            r"matlab.functions: found no folder .*/nowhere, expected a folder with functions for",
        ),
        (
            {"register": {"backend": "octave", "mode": "reference"}},
            r"register.mode: found reference, expected closed, with register.backend octave",
        ),
        (
            {"register": {"backend": "matlab"}, "matlab": {"folder": "docs"}},
            r"matlab.folder: found no run_job.m in .*/docs, expected it .*, for register.backend",
        ),
        (
            {"process": {"backend": "matlab"}, "matlab": {"folder": "docs"}},
            r"matlab.folder: found no run_job.m in .*/docs, expected it there",
        ),
    ],
)
def test_a_wrong_key_type_or_value_is_named(values, message):
    with pytest.raises(SettingsError, match=message):
        read_config(values)


@pytest.mark.parametrize("word", ["2026-11-21", "7", "true", "stage serviced"])
def test_any_word_has_coordinates_found_anew(word):
    plain = read_config({})
    values = yaml.safe_load(f"stitch: {{force_refresh_coordinates: {word}}}")
    assert read_config(values).stitch.plain() != plain.stitch.plain()


@pytest.mark.parametrize(
    ("delivered", "process", "message"),
    [
        (["aip", "ori"], {}, r"acquisition.delivered: found aip, ori, expected dBI among them"),
        (["dBI"], {"roll_off_db": 3}, r"process.roll_off_db: found 3, expected 0"),
    ],
)
def test_settings_that_delivered_volumes_do_not_allow_are_named(delivered, process, message):
    acquisition = {"format": "processed_with_spectral", "delivered": delivered}
    with pytest.raises(SettingsError, match=message):
        read_config({"acquisition": acquisition, "process": process})


def test_every_setting_is_described():
    schema = json.loads(json_schema())
    bare = [
        f"{model}.{name}"
        for model, entry in schema["$defs"].items()
        for name, field in entry.get("properties", {}).items()
        if "description" not in field
    ]
    assert bare == []


def test_the_conda_environment_lists_what_the_package_needs():
    root = CONFIG.parent
    wanted = tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
    environment = yaml.safe_load((root / "envs" / "octflow.yaml").read_text())
    assert environment["dependencies"][-1]["pip"] == wanted
