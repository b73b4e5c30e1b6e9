"""Other formats, other illumination tables, other hosts."""

import os

import pytest

from octflow.io.records import read_record

import runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def three_views(tmp_path_factory):
    """One slice under three illuminations, reconstructed by the microscope itself."""
    folder = tmp_path_factory.mktemp("three") / "tiny"
    options = ["--format", "complex", "--third-illumination", "--slices", "1"]
    runs.simulate(folder, "tiny", *options)
    status, said = runs.snakemake(folder)
    assert status == 0, said
    return folder


def test_complex_tiles_of_the_microscope_are_linked(three_views):
    links = list((three_views / "project").glob("mosaic-*/complex/*.nii"))
    assert len(links) == 12
    assert all(link.is_symlink() for link in links)


def test_the_slice_is_registered_from_three_views(three_views):
    record = read_record(three_views / "project" / "state" / "slice-001.registered")
    affines = [p for p in record.outputs if p.role == "affine"]
    assert affines
    assert "tiltPos" in (three_views / "project" / affines[0].path).read_text()


def converted(folder, kind):
    """Digests of the first complex tiles made of one slice in some raw format."""
    runs.simulate(folder, "tiny", "--format", kind, "--names", "stage", "--slices", "1")
    status, said = runs.snakemake(folder, "mosaic-001/state/batch-001.complex")
    assert status == 0, said
    record = read_record(folder / "project/mosaic-001/state/batch-001.complex")
    return [p.id for p in record.outputs if p.role == "complex"]


def test_both_spectral_formats_and_the_older_names_give_the_same_complex_tiles(tmp_path):
    packed = converted(tmp_path / "packed", "spectral_12bit")
    assert len(packed) == 2
    assert packed == converted(tmp_path / "plain", "spectral")


def test_spectra_delivered_beside_complex_tiles_are_archived(three_views, tmp_path):
    folder = tmp_path / "tiny"
    runs.simulate(folder, "tiny", "--third-illumination", "--slices", "1")
    for path in (three_views / "raw").iterdir():
        os.link(path, folder / "raw" / path.name)
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(
        text.replace("format: spectral", "format: complex_with_spectral")
    )
    flags = [f"mosaic-001/state/batch-001.{stage}" for stage in ("archived", "complex")]
    status, said = runs.snakemake(folder, *flags)
    assert status == 0, said
    archived, used = (read_record(folder / "project" / flag).inputs for flag in flags)
    assert all("_spectral_" in p.path for p in archived if p.tile)
    assert all("_processed" in p.path for p in used if p.tile)


@pytest.mark.parametrize("profile", ["demo", "zircon", "slurm"])
def test_every_profile_plans_the_whole_job(profile, tmp_path):
    runs.simulate(tmp_path / "tiny", "tiny")
    profile = str(runs.ROOT / "profiles" / profile)
    status, said = runs.snakemake(tmp_path / "tiny", "--profile", profile, "-n")
    assert status == 0, said
    assert "stack_slices" in said
