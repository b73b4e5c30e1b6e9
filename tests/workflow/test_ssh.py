"""Auxiliary hosts by SSH: registration, and only registration, runs there; a host may be lost."""

import json
import signal

import pytest

import runs
import sshd

pytestmark = [pytest.mark.slow, sshd.needs_sshd]
HOSTS = ("aux1", "aux2")
TARGET = "state/slice-001.registered"
# Far more than it takes: hosts that are misread are waited for without end.
PATIENCE_S = 300


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with sshd.lab(tmp_path_factory.mktemp("lab"), *HOSTS, silent_s=2, lost_s=4) as lab:
        yield lab


@pytest.fixture(scope="module")
def acquired(tmp_path_factory):
    """One slice in two illuminations, each of one tile."""
    return runs.smallest(tmp_path_factory.mktemp("ssh") / "tiny")


@pytest.fixture(scope="module")
def ran(lab, acquired):
    """A run whose registration lost its host: the host, what was said, and all records."""
    arguments = runs.by_profile("zircon-ssh", acquired, TARGET)
    with runs.started(arguments, acquired / "said", lab.environment) as run:
        lost = registering(lab, run)
        lab.cut_power(*lost)
        run.wait(timeout=PATIENCE_S)
    said = (acquired / "said").read_text()
    assert run.returncode == 0, said
    attempts = (acquired / "project" / "lineage").rglob("attempt-*.json")
    return lost, said, [json.loads(path.read_text()) for path in attempts]


def registering(lab, run):
    """Wait until the function of the job runs on a host; return the hosts it runs on."""
    script = "register_slice.py"
    lab.wait_for(lambda: lab.busy(script) or run.poll() is not None, PATIENCE_S)
    return lab.busy(script)


def test_registration_and_only_registration_ran_on_auxiliary_hosts(ran):
    lost, _, records = ran
    places = {(r["executor"]["scheduler"], r["executor"]["node"]) for r in records}
    (other,) = set(HOSTS) - set(lost)
    assert places == {("local", None), ("ssh", other)}
    assert {r["rule"] for r in records if r["executor"]["node"]} == {"register_slice"}
    assert len({r["rule"] for r in records}) == 8


def test_the_job_of_a_lost_host_is_done_once_more_and_its_record_names_it(ran):
    _, said, records = ran
    submitted = [line.split("'")[1] for line in said.splitlines() if "external jobid '" in line]
    jobs = [r["executor"]["scheduler_job"] for r in records if r["rule"] == "register_slice"]
    assert len(submitted) == 2
    assert jobs == submitted[1:]


def test_what_a_lost_host_had_begun_ends_in_the_products_of_a_run_without_hosts(ran, acquired):
    found = runs.products(acquired)
    status, said = runs.snakemake(acquired, TARGET, "--forcerun", "register_slice")
    assert status == 0, said
    assert any(name.startswith("registered/") for name in found)
    assert runs.products(acquired) == found


def test_an_interrupted_run_leaves_nothing_on_the_hosts(ran, lab, acquired):
    lab.start(*ran[0])
    arguments = runs.by_profile("zircon-ssh", acquired, TARGET, "--forcerun", "register_slice")
    with runs.started(arguments, acquired / "interrupted", lab.environment) as run:
        (host,) = registering(lab, run)
        lab.halt(host, "register_slice.py")
        run.send_signal(signal.SIGINT)
        run.wait(timeout=PATIENCE_S)
    assert lab.wait_for(lambda: not lab.busy("snakemake"))
    assert not (acquired / "project" / TARGET).exists()
