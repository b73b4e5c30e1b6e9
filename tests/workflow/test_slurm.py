"""A real Slurm cluster: pools are partitions, and the job of a lost node is done on another."""

import json
import time

import pytest

import runs
import slurm

pytestmark = [pytest.mark.slow, slurm.needs_slurm]
# Far more than it takes: a scheduler that is misread is waited for without end.
PATIENCE_S = 300
TARGET = "state/slice-001.registered"
BEFORE = ["start_slice", "start_mosaic", "start_batch", "convert_batch", "process_batch"]
BEFORE += ["find_tilemap", "stitch_enface"]
# Every submission costs seconds: what goes before registration shares one here.
OPTIONS = ["--slurm-init-seconds-before-status-checks", "10"]
OPTIONS += ["--groups", *(f"{rule}=before" for rule in BEFORE)]


@pytest.fixture(scope="module")
def acquired(tmp_path_factory):
    """One slice in two illuminations, each of one tile."""
    return runs.smallest(tmp_path_factory.mktemp("slurm") / "tiny")


@pytest.fixture(scope="module")
def ran(acquired, tmp_path_factory):
    """A run whose registration lost its node: the node, what was said, and all records."""
    with slurm.cluster(tmp_path_factory.mktemp("lab")) as lab:
        arguments = runs.by_profile("slurm", acquired, TARGET, *OPTIONS)
        with runs.started(arguments, acquired / "said", lab.environment) as run:
            lost = _cut_power_of_registration(lab, run)
            run.wait(timeout=PATIENCE_S)
    said = (acquired / "said").read_text()
    assert run.returncode == 0, said
    attempts = (acquired / "project" / "lineage").rglob("attempt-*.json")
    return lost, said, [json.loads(path.read_text()) for path in attempts]


def _cut_power_of_registration(lab, run):
    """Wait until the function of the job runs on an auxiliary node, then take the node away."""
    end = time.monotonic() + PATIENCE_S
    while run.poll() is None and time.monotonic() < end:
        for node in slurm.PARTITIONS["aux"]:
            if any(lab.processes(node, "register_slice.py")):
                lab.cut_power(node)
                return node
        time.sleep(0.1)
    return None


def test_registration_and_only_registration_ran_on_auxiliary_nodes(ran):
    _, _, records = ran
    found = {(r["rule"], r["executor"]["partition"], r["executor"]["node"]) for r in records}
    places = {(rule, partition, node.rstrip("12")) for rule, partition, node in found}
    before = {(rule, "zircon", "zircon") for rule in BEFORE}
    assert places == before | {("register_slice", "aux", "aux")}


def test_a_record_names_the_job_of_the_scheduler(ran):
    jobs = {r["rule"]: r["executor"]["scheduler_job"] for r in ran[2]}
    assert {r["executor"]["scheduler"] for r in ran[2]} == {"slurm"}
    assert {jobs[rule] for rule in BEFORE} == {"1"}
    # Job 2 went with its node.
    assert jobs["register_slice"] == "3"


def test_the_job_of_a_lost_node_is_done_on_another(ran):
    lost, said, records = ran
    nodes = [r["executor"]["node"] for r in records if r["rule"] == "register_slice"]
    assert lost in slurm.PARTITIONS["aux"]
    assert nodes == [node for node in slurm.PARTITIONS["aux"] if node != lost]
    assert "SLURM status is: 'NODE_FAIL'" in said


def test_what_a_lost_node_had_begun_ends_in_the_products_of_an_undisturbed_run(ran, acquired):
    found = runs.products(acquired)
    status, said = runs.snakemake(acquired, TARGET, "--forcerun", "register_slice")
    assert status == 0, said
    assert any(name.startswith("registered/") for name in found)
    assert runs.products(acquired) == found
