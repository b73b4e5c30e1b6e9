"""Coordinates in real runs: pooled, refined, found anew, by Fiji, and brought along."""

import re
import shutil
import sys
from datetime import date

import numpy as np
import pytest
import yaml

from octflow.io.records import read_record
from octflow.io.tilemap import read_tilemap
from octflow.simulate.geometry import tile_positions
from octflow.simulate.settings import Simulation

import runs

pytestmark = pytest.mark.slow

FOUND = "state/tilemap-normal.found"
VOLUME = "mosaic-003/state/mosaic-003.volume_stitched"
MOSAIC = "mosaic-003/state/mosaic-003"


def set_up(folder, **stitch):
    """Change the section stitch of a project's configuration."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["stitch"] = config.get("stitch", {}) | stitch
    config["volume"] = config.get("volume", {}) | {"modalities": ["dBI"]}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def planned(folder, *options):
    """Count the jobs of a dry run by rule."""
    status, said = runs.snakemake(folder, "-n", *options)
    assert status == 0, said
    table = said.split("Job stats:")[-1] if "Job stats:" in said else ""
    return {name: int(n) for name, n in re.findall(r"^(\w+_\w+) +(\d+)$", table, re.MULTILINE)}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Two slices under a stage that drifts, until the volume of a mosaic of the second."""
    options = ["--slices", "2", "--stage-drift", "1"]
    simulated = runs.simulate(tmp_path_factory.mktemp("a") / "tiny", "tiny", *options)
    folder = runs.acquisition(simulated, simulated.parent / "pooled")
    set_up(folder, refine=True, template_slices=[1, 2], gates={"residual_rms_px": {"warn": 0.5}})
    status, said = runs.snakemake(folder, VOLUME, cores=2)
    assert status == 0, said
    return folder


@pytest.fixture
def again(done, tmp_path):
    """A copy of that project, to be changed."""
    folder = shutil.copytree(done, tmp_path / "copy", symlinks=True)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    # The raw tiles stay where they are: elsewhere they would be other tiles.
    config["project"]["folder"] = str(folder / "project")
    config["instrument"]["dispersion_file"] = str(folder / "dispersion.dat")
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def test_coordinates_are_found_on_the_mosaics_of_all_template_slices(done):
    record = read_record(done / "project" / FOUND)
    flags = {p.path.split("/")[0] for p in record.inputs}
    assert flags == {"mosaic-001", "mosaic-003"}
    assert record.qc["mosaics"] == 2


def test_maps_and_volumes_have_the_coordinates_of_their_mosaic(done):
    own = "mosaic-003/stitched/mosaic_003_tilemap.j2"
    for flag in (f"{MOSAIC}.stitched", f"{MOSAIC}.dBI_stitched"):
        used = [p.path for p in read_record(done / "project" / flag).inputs if p.role == "tilemap"]
        assert used == [own]


def test_a_mosaic_is_refined_where_the_stage_drifted(done):
    simulation = Simulation.model_validate_json(
        (done.parent / "tiny" / "truth" / "simulation.json").read_text()
    )
    true, errors = tile_positions(simulation, 3), []
    for path in ("tilemap-normal.j2", "mosaic-003/stitched/mosaic_003_tilemap.j2"):
        found = read_tilemap(done / "project" / path).positions_px
        off = np.array([np.subtract(found[tile], true[tile]) for tile in sorted(true)])
        errors.append(float((off - off.mean(axis=0)).std()))
    # The template of both slices is off by half of what they differ by.
    assert errors[1] < 0.2 < 0.4 < errors[0]
    assert read_record(done / "project" / f"{MOSAIC}.refined").qc["refined"] == 1


def test_without_refinement_there_is_no_job_for_it(again):
    assert planned(again, VOLUME) == {}
    set_up(again, refine=False)
    assert planned(again, VOLUME) == {"stitch_enface": 1, "stitch_volume": 1, "join_volumes": 1}


def test_how_mosaics_are_blended_does_not_have_coordinates_found_anew(again):
    set_up(again, placement="rounded")
    assert "find_tilemap" not in planned(again, FOUND, VOLUME)


def test_coordinates_are_found_anew_where_that_is_forced(again):
    set_up(again, force_refresh_coordinates=date(2026, 11, 21))
    assert planned(again, VOLUME) == {
        "find_tilemap": 1,
        "find_focus": 1,
        "refine_tilemap": 1,
        "stitch_enface": 1,
        "stitch_volume": 1,
        "join_volumes": 1,
    }
    status, said = runs.snakemake(again, FOUND)
    assert status == 0, said
    record = read_record(again / "project" / FOUND)
    assert record.attempt == 2
    assert record.parameters["settings"]["force_refresh_coordinates"] == "2026-11-21"
    assert "find_tilemap" not in planned(again, FOUND)
    assert planned(again, FOUND, "--forcerun", "find_tilemap")["find_tilemap"] == 1


def test_fiji_finds_coordinates_in_a_run(again):
    program = again / "ImageJ-linux64"
    script = runs.ROOT / "tests" / "shared" / "fiji_stand_in.py"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{script}' \"$@\"\n")
    program.chmod(0o755)
    set_up(again, engine="fiji", fiji=str(program))
    status, said = runs.snakemake(again, FOUND)
    assert status == 0, said
    assert "Stitching internal" in (again / "project/logs/find_tilemap/normal.log").read_text()
    assert len(read_tilemap(again / "project" / "tilemap-normal.j2").positions_px) == 4


def test_a_lab_brings_its_coordinates_along(again):
    brought = again / "project" / "lab" / "TileConfiguration.registered.txt"
    found = again / "project" / "tilemap-normal" / "TileConfiguration.registered.txt"
    brought.parent.mkdir()
    shutil.copy(found, brought)
    before = read_tilemap(again / "project" / "tilemap-normal.j2")
    set_up(again, coordinates={"normal": "lab/TileConfiguration.registered.txt"})
    status, said = runs.snakemake(again, FOUND)
    assert status == 0, said
    assert read_tilemap(again / "project" / "tilemap-normal.j2") == before
    brought.write_text(brought.read_text().replace("; ; (0.0000", "; ; (0.2500"))
    assert planned(again, FOUND)["find_tilemap"] == 1
