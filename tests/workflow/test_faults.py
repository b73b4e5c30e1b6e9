"""Bad tiles: each is named with what was found and expected; the rest goes on with a hole."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from octflow.io.nifti import read_nifti
from octflow.io.records import read_record

import runs

pytestmark = pytest.mark.slow


def raw(folder, mosaic, tile):
    return next((folder / "raw").glob(f"mosaic_{mosaic:03d}_image_{tile:04d}_*"))


def rewrite(path, content):
    """Replace a raw tile without touching what it is linked to."""
    path.unlink()
    path.write_bytes(content)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """Slice 2 has a tile cut short, one too long, one of noise and one missing."""
    base = tmp_path_factory.mktemp("faulty")
    folder = runs.acquisition(runs.simulate(base / "simulated", "tiny"), base / "tiny")
    short, long = raw(folder, 3, 1), raw(folder, 3, 4)
    rewrite(short, short.read_bytes()[:1000])
    rewrite(long, long.read_bytes() + b"12")
    noise = raw(folder, 4, 2)
    content = bytearray(noise.read_bytes())
    counts = np.random.default_rng(0).integers(0, 4096, (len(content) - 352) // 2, np.uint16)
    content[352:] = counts.tobytes()
    rewrite(noise, content)
    raw(folder, 4, 3).unlink()
    declare = [sys.executable, "-m", "octflow.cli", "declare-missing", "3", "--mosaic", "4"]
    (folder / "project").mkdir()
    options = ["--reason", "laser off", "--project", str(folder / "project")]
    subprocess.run([*declare, *options], check=True, capture_output=True)
    return folder, short.name, long.name, runs.snakemake(folder)


def test_the_run_goes_on_and_exits_0(faulty):
    status, said = faulty[3]
    assert status == 0, said
    assert (faulty[0] / "project" / "state" / "project.stacked").exists()


def test_the_short_and_the_long_tile_are_named_with_both_sizes(faulty):
    folder, short, long, (_, said) = faulty
    size = raw(folder, 3, 2).stat().st_size
    assert f"{short}: found 1000 bytes, expected {size} bytes" in said
    assert f"{long}: found {size + 2} bytes, expected {size} bytes" in said


def test_the_tile_of_noise_is_named(faulty):
    said = faulty[3][1]
    assert "mosaic_004_image_0002_complex.nii: found a noise floor of" in said


def test_the_missing_tile_is_named_with_its_reason(faulty):
    assert "tile 3 is missing: laser off" in faulty[3][1]


@pytest.mark.parametrize(("mosaic", "holes"), [(3, {1, 4}), (4, {2, 3})])
def test_the_mosaic_is_there_with_a_hole(faulty, mosaic, holes, monkeypatch):
    monkeypatch.chdir(faulty[0] / "project")
    record = read_record(
        faulty[0] / "project" / f"mosaic-{mosaic:03d}/state/mosaic-{mosaic:03d}.stitched"
    )
    lacking = {t.tile for t in (*record.tiles.failed, *record.tiles.missing)}
    assert lacking == holes
    whole, holed = (
        np.isfinite(read_nifti(Path(f"mosaic-{m:03d}/stitched/mosaic_{m:03d}_aip.nii"))).sum()
        for m in (mosaic - 2, mosaic)
    )
    assert 0 < holed < 0.8 * whole


def test_too_many_bad_tiles_fail_their_batch_alone_and_every_attempt_is_recorded(faulty, tmp_path):
    folder = runs.acquisition(faulty[0], tmp_path / "strict")
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config + "convert: {max_failed_tiles: 0}\n")
    flags = [f"mosaic-003/state/batch-00{b}.complex" for b in (1, 2)]
    good = "mosaic-001/state/batch-001.complex"
    status, said = runs.snakemake(folder, *flags, good, "--retries", "1")
    assert status == 1
    assert "1 tiles failed, at most 0 accepted" in said
    assert (folder / "project" / good).exists()
    assert not (folder / "project" / flags[0]).exists()
    attempts = sorted((folder / "project" / "lineage" / "convert_batch").glob("*mosaic-003*/*"))
    records = [read_record(path) for path in attempts]
    assert [r.attempt for r in records] == [1, 2, 1, 2]
    assert {(r.status, r.error.kind) for r in records} == {("failed", "data")}


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Odd names; one header wrong; other bad tiles, one late; a file where the archive goes."""
    base = tmp_path_factory.mktemp("odd")
    folder = base / 'It\'s "my" brän, no 1 {x}'
    simulated = runs.simulate(base / "simulated", "tiny")
    (folder / 'räw tiles\' "A"').mkdir(parents=True)
    for path in (simulated / "raw").glob("mosaic_00[12]_*"):
        os.link(path, folder / 'räw tiles\' "A"' / path.name)
    (folder / "raw").symlink_to('räw tiles\' "A"')
    shutil.copy(simulated / "dispersion.dat", folder / "dispersion für alle.dat")
    config = yaml.safe_load((simulated / "config.yaml").read_text())
    config["project"] |= {"name": "odd", "folder": str(folder / "pröject 'x y'")}
    config["acquisition"]["folder"] = str(folder / 'räw tiles\' "A"')
    config["instrument"]["dispersion_file"] = str(folder / "dispersion für alle.dat")
    config["archive"] = {"retries": {"attempts": 2, "first_wait_s": 0}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True))
    (folder / "project").symlink_to("pröject 'x y'")
    (folder / "pröject 'x y'" / "mosaic-001").mkdir(parents=True)
    (folder / "pröject 'x y'" / "mosaic-001" / "archived").write_text("in the way")
    spoil(folder)
    late = raw(folder, 2, 4)
    late.rename(folder / late.name)
    flags = [
        "mosaic-001/state/mosaic-001.stitched",
        "mosaic-001/state/batch-001.archived",
        "mosaic-002/state/batch-001.complex",
    ]
    status, said = runs.snakemake(folder, *flags)
    for name in (late.name, late.name.replace("_spectral_", "_spectral_9")):
        shutil.copy(folder / late.name, folder / "raw" / name)
    return folder, flags, status, said


def spoil(folder):
    """Let a header lie; make tiles of zeros, of saturation, and a folder named like a tile."""
    lying = raw(folder, 1, 2)
    content = bytearray(lying.read_bytes())
    content[:352] = b"\xff" * 352
    rewrite(lying, content)
    for tile, sample in ((1, b"\0\0"), (2, b"\xff\x0f")):
        path = raw(folder, 2, tile)
        rewrite(path, bytes(352) + sample * ((path.stat().st_size - 352) // 2))
    path = raw(folder, 2, 3)
    path.unlink()
    path.mkdir()


def test_odd_names_are_names_and_a_lying_header_is_not_read(odd):
    folder, flags, _, said = odd
    assert (folder / "project" / flags[0]).exists(), said
    assert read_record(folder / "project" / flags[0]).tiles.ok == [1, 2, 3, 4]


def test_an_archive_that_cannot_be_written_blocks_nothing_but_fails_the_run(odd):
    folder, flags, status, said = odd
    assert status == 1
    assert "mosaic-001/archived: found file exists" in said
    assert "expected a folder that can be written to" in said
    assert not (folder / "project" / flags[1]).exists()


def test_tiles_of_zeros_and_of_saturation_are_named(odd):
    said = odd[3]
    assert "found all samples 0, expected interference fringes" in said
    assert "found all samples 4095, expected interference fringes" in said


def test_a_late_tile_is_waited_for_and_two_files_of_it_are_a_hole(odd):
    folder, _, _, said = odd
    assert "waiting: mosaic 2 batch 2: tiles [4] have not arrived" in said
    flag = "mosaic-002/state/batch-002.complex"
    status, said = runs.snakemake(folder, flag)
    assert status == 0, said
    record = read_record(folder / "project" / flag)
    assert [t.tile for t in record.tiles.failed] == [3]
    assert record.tiles.failed[0].reason.endswith("found a folder, expected a raw tile")
    assert "_spectral_9" in record.tiles.missing[0].reason
