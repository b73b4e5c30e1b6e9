"""What every profile has to say about the rules."""

import pytest
import yaml
import yte

from octflow.workflow.session import Session

import house_style as style

PROFILES = ("demo", "zircon", "zircon-ssh", "slurm")
HOSTS = "hosts: [{name: aux1, slots: 2}, {name: aux2, slots: 3}]"


@pytest.fixture(params=PROFILES)
def profile(request, tmp_path, monkeypatch):
    """A profile as Snakemake reads it."""
    (tmp_path / "hosts.yaml").write_text(HOSTS)
    monkeypatch.setenv("OCTFLOW_HOSTS", str(tmp_path / "hosts.yaml"))
    return request.param, read(request.param)


def read(name):
    with (style.ROOT / "profiles" / name / "config.yaml").open() as file:
        return yte.process_yaml(file, require_use_yte=True)


def pairs(values):
    """Give a list of NAME=VALUE, which Snakemake takes as well, as a mapping."""
    return values if isinstance(values, dict) else dict(line.split("=", 1) for line in values)


def test_every_pool_is_limited_in_every_profile(profile, rules):
    pools = {name for rule in rules for name in rule.resources if name.endswith("_pool")}
    assert pools <= set(pairs(profile[1]["resources"]))


def test_a_profile_that_tries_again_waits_twice_as_long_every_time_but_not_for_ever(profile):
    name, said = profile
    if name == "demo":
        assert said["retries"] == 0
        return
    expression = pairs(said["default-resources"])["retry_wait_s"]
    waits = [eval(expression, {"attempt": attempt}) for attempt in (1, 2, 3, 4, 20)]
    assert waits == [0, 30, 60, 120, 600]


def test_one_bad_batch_stops_no_other_in_any_profile():
    default = yaml.safe_load((style.ROOT / "profiles/default/config.yaml").read_text())
    assert default["keep-going"] is True
    assert not any("keep-going" in read(name) for name in ("demo", "zircon", "slurm"))


def test_auxiliary_hosts_have_as_many_jobs_as_slots(tmp_path, monkeypatch):
    (tmp_path / "hosts.yaml").write_text(HOSTS)
    monkeypatch.setenv("OCTFLOW_HOSTS", str(tmp_path / "hosts.yaml"))
    assert read("zircon-ssh")["resources"]["register_pool"] == 5


def test_only_the_register_pool_leaves_the_lab_host(profile, rules):
    name, said = profile
    local = set(Session.local_rules(pairs(said["resources"])))
    leave = {rule.name for rule in rules if "register_pool" in rule.resources}
    assert local == ({rule.name for rule in rules} - leave if name == "zircon-ssh" else set())
