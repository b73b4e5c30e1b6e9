"""Real SSH servers: where a job goes, and what becomes of it when a host or a network fails."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from octflow.core.errors import SettingsError
from octflow.services.hosts.job import JOBS, Job
from octflow.services.hosts.settings import Host, Hosts, read_hosts
from octflow.services.hosts.status import status_of
from octflow.services.hosts.submit import UnreachableError, submit

import runs
import sshd

SLOW = "sleep 98765"
ASLEEP = "98765"


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    with sshd.lab(tmp_path_factory.mktemp("lab"), "aux1", "aux2", silent_s=1, lost_s=3) as lab:
        yield lab


@pytest.fixture
def lab(servers, tmp_path, monkeypatch):
    """The hosts, all up, and a project folder to send jobs from; nothing is left on them."""
    for name, server in servers.servers.items():
        if server.poll() is not None:
            servers.start(name)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("OCTFLOW_HOSTS", servers.environment["OCTFLOW_HOSTS"])
    yield servers
    for path in JOBS.glob("job-*"):
        Job(path).kill()


pytestmark = sshd.needs_sshd


def sent(text, **properties):
    """Send a shell script; with properties it is as Snakemake writes it."""
    text = f"# properties = {json.dumps(properties)}\n{text}" if properties else text
    folder = JOBS.absolute().parents[1]
    script = folder / f"script-{time.monotonic_ns()}"
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    return Job(JOBS.absolute() / submit(script, read_hosts()))


def ended(job):
    """Ask as Snakemake does, until it has ended."""
    until = time.monotonic() + 30
    while (status := status_of(job)) == "running" and time.monotonic() < until:
        time.sleep(0.2)
    return status


def begun(lab):
    """Wait until a job sleeps; return its host."""
    (host,) = lab.wait_for(lambda: lab.busy(ASLEEP))
    return host


@pytest.mark.parametrize(("code", "status"), [(0, "success"), (3, "failed")])
def test_a_job_runs_on_a_host_in_the_folder_it_was_sent_from(lab, code, status):
    job = sent(f"echo $OCTFLOW_NODE $LAB > where; exit {code}")
    assert ended(job) == status
    assert (JOBS.parents[1] / "where").read_text().split() == [job.host, str(lab.folder)]


def test_jobs_are_spread_over_the_hosts(lab):
    jobs = [sent(SLOW), sent(SLOW)]
    assert {job.host for job in jobs} == {"aux1", "aux2"}
    assert [status_of(job) for job in jobs] == ["running", "running"]


def test_a_host_that_is_down_is_passed_over(lab, capfd):
    lab.cut("aux1")
    jobs = [sent("true"), sent("true")]
    assert [job.host for job in jobs] == ["aux2", "aux2"]
    assert [ended(job) for job in jobs] == ["success", "success"]
    # The second job did not even try.
    assert capfd.readouterr().err.count("aux1: ") == 1


def test_without_any_host_the_job_fails_and_says_why(lab):
    lab.cut("aux1")
    lab.cut("aux2")
    with pytest.raises(UnreachableError, match=r"aux1: .*refused.*; aux2: .*refused"):
        sent("true")
    assert not list(JOBS.glob("job-*"))


def test_a_host_that_is_not_known_is_refused(lab):
    stranger = Host(name="x", address="127.0.0.1", options=("-p", str(lab.ports["aux1"])))
    with pytest.raises(UnreachableError, match="Host key verification failed"):
        submit(lab.folder / "hosts.yaml", Hosts(hosts=(stranger,)))


def test_a_job_that_is_killed_has_failed(lab):
    job = sent(SLOW)
    host = begun(lab)
    for pid in lab.processes(host, ASLEEP):
        os.kill(pid, signal.SIGKILL)
    assert ended(job) == "failed"


def test_what_is_left_of_a_job_that_nobody_watches_over_is_ended(lab):
    job = sent(SLOW)
    begun(lab)
    os.kill(job.runner, signal.SIGKILL)
    assert ended(job) == "failed"
    assert job.processes() == []


def test_a_job_of_a_host_without_power_fails_and_the_next_goes_elsewhere(lab):
    job = sent(SLOW)
    host = begun(lab)
    lab.cut_power(host)
    assert ended(job) == "failed"
    assert sent("true").host != host


def test_a_job_that_lives_while_its_network_is_cut_is_done_once(lab):
    job = sent("echo once >> done; sleep 5")
    lab.cut(job.host)
    assert ended(job) == "success"
    assert (JOBS.parents[1] / "done").read_text() == "once\n"


def test_a_host_that_was_given_up_ends_its_job_when_it_comes_back(lab):
    job = sent(SLOW)
    host = begun(lab)
    lab.cut(host)
    os.kill(job.runner, signal.SIGSTOP)
    assert ended(job) == "failed"
    assert lab.busy(ASLEEP) == [host]
    os.kill(job.runner, signal.SIGCONT)
    assert lab.wait_for(lambda: not lab.busy(ASLEEP))


def test_a_host_that_answers_too_late_does_not_take_the_job_as_well(tmp_path):
    job = Job(tmp_path)
    job.offer("aux1")
    assert job.withdraw("aux1")
    assert not job.take("aux1")
    job.offer("aux2")
    assert job.take("aux2")
    assert not job.withdraw("aux2")


def test_cancelled_jobs_leave_nothing_on_the_hosts(lab):
    jobs = [sent(SLOW), sent(f"trap '' TERM; {SLOW} & wait; {SLOW}")]
    lab.wait_for(lambda: len(lab.busy(ASLEEP)) == 2)
    cancel = runs.ROOT / "profiles" / "zircon-ssh" / "cancel"
    subprocess.run([cancel, *(job.id for job in jobs)], check=True, timeout=2)
    assert [ended(job) for job in jobs] == ["failed", "failed"]
    assert lab.wait_for(lambda: not any(job.processes() for job in jobs))


def test_a_job_that_nobody_will_ask_for_is_cancelled(lab):
    reads, writes = os.pipe()
    os.close(reads)
    script = JOBS.absolute().parents[1] / "script"
    script.write_text(f"#!/bin/sh\n{SLOW}\n")
    script.chmod(0o755)
    command = [sys.executable, "-m", "octflow.services.hosts", "submit", str(script)]
    subprocess.run(command, stdout=writes, stderr=subprocess.DEVNULL, check=False)
    os.close(writes)
    (job,) = JOBS.glob("job-*")
    assert lab.wait_for(lambda: Job(job).status is not None)


def test_a_job_that_a_killed_snakemake_left_is_taken_over_and_not_started_again(lab):
    work = {"rule": "register_slice", "output": ["flag"], "params": {"version": 1}}
    job = sent(f"echo once >> done; {SLOW}", jobid=3, **work)
    begun(lab)
    assert sent("echo twice >> done", jobid=0, **work).id == job.id
    assert (JOBS.parents[1] / "done").read_text() == "once\n"


def test_a_job_that_writes_the_same_with_other_settings_is_ended_first(lab):
    work = {"rule": "register_slice", "output": ["flag"]}
    job = sent(SLOW, **work, params={"version": 1})
    begun(lab)
    other = sent("true", **work, params={"version": 2})
    assert other.id != job.id
    assert not lab.busy(ASLEEP)
    assert [ended(job), ended(other)] == ["failed", "success"]


def test_secrets_of_the_environment_stay_here(lab, monkeypatch):
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-secret")
    job = sent("env > seen")
    assert ended(job) == "success"
    texts = [path.read_text() for path in [*job.folder.iterdir(), JOBS.parents[1] / "seen"]]
    assert not any("xoxb-secret" in text for text in texts)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "hosts.yaml: found No such file or directory, expected a list of hosts"),
        ("hosts: []", "hosts"),
        ("hosts: [{name: a, slot: 2}]", "slot"),
        ("hosts: [{name: a}, {name: a}]", "expected distinct names"),
        ("hosts: [{name: a, address: -oProxyCommand=x}]", "address"),
    ],
)
def test_a_wrong_list_of_hosts_is_named(tmp_path, monkeypatch, text, said):
    monkeypatch.setenv("OCTFLOW_HOSTS", str(tmp_path / "hosts.yaml"))
    if text is not None:
        (tmp_path / "hosts.yaml").write_text(text)
    with pytest.raises(SettingsError, match=said) as caught:
        read_hosts()
    assert str(tmp_path) in str(caught.value)
