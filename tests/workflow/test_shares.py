"""Volumes that several jobs make side by side."""

import pytest
import yaml

from octflow.io.records import read_record

import runs

pytestmark = pytest.mark.slow

VOLUME = "mosaic-001/state/mosaic-001.O3D_stitched"
SMALL = {"chunk_px": [16, 16, 16], "shard_px": [32, 32, 32]}


def stitched(folder, **volume):
    """Run with these settings; return what was said and the digest of the volume."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["volume"] = (config.get("volume") or {}) | SMALL | volume
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    status, said = runs.snakemake(folder, VOLUME, cores=2)
    assert status == 0, said
    return said, read_record(folder / "project" / VOLUME).outputs[0].id


def test_shares_give_the_bytes_of_one_job_and_one_job_has_no_shares(tmp_path):
    runs.simulate(tmp_path / "simulated", "tiny", "--slices", "1")
    folder = runs.acquisition(tmp_path / "simulated", tmp_path / "tiny", volumes=runs.VOLUMES)
    said, alone = stitched(folder)
    assert "stitch_share" not in said
    said, shared = stitched(folder, shares=3)
    assert "stitch_share" in said
    assert shared == alone
    state = folder / "project" / "mosaic-001" / "state"
    shares = [read_record(path) for path in sorted(state.glob("*.O3D_share-*"))]
    assert [record.unit.share for record in shares] == [1, 2, 3]
    assert min(record.qc["shards"] for record in shares) > 0
    assert list((folder / "project").rglob(".share-*")) == []
