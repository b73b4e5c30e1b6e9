import json
import subprocess
import sys
from dataclasses import asdict

import click
import pytest

from octflow.cli.cmd_setup import link_profile
from octflow.cli.main import COMMANDS
from octflow.cli.parts import BatchName
from octflow.core.layout import flag
from octflow.core.part import Part
from octflow.io.missing import declare_missing, read_missing
from octflow.services.retire import state_lock

from flags import write_flag


def octflow(*arguments):
    command = [sys.executable, "-m", "octflow.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_help_names_every_command():
    said = octflow("--help").stdout
    assert all(name in said for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name):
    done = octflow(name, "--help")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 5


def test_declared_tiles_are_kept_with_their_reason(tmp_path):
    octflow("declare-missing", 3, 4, "--mosaic", 2, "--reason", "laser off", "--project", tmp_path)
    octflow("declare-missing", 9, "--mosaic", 1, "--reason", "lost", "--project", tmp_path)
    assert read_missing(tmp_path) == {(1, 9): "lost", (2, 3): "laser off", (2, 4): "laser off"}


def test_tiles_are_not_declared_missing_beside_the_project_nor_beyond_the_mosaic(tmp_path):
    declare = ("declare-missing", 9, "--mosaic", 1, "--reason", "lost", "--project")
    grid = {"grid": [[1, 0, 0], [2, 0, 1]]}
    begun = tmp_path / "p" / flag("start_mosaic", mosaic=1)
    (tmp_path / "p" / "state").mkdir(parents=True)
    write_flag(begun, "start_mosaic", parameters=grid)
    beside, beyond = octflow(*declare, tmp_path), octflow(*declare, tmp_path / "p")
    assert (beside.returncode, beyond.returncode) == (1, 1)
    assert "found nothing of ours, expected the folder of a project\n" in beside.stderr
    assert "found no tile 9 in mosaic 1, expected tiles 1 to 2\n" in beyond.stderr
    assert read_missing(tmp_path / "p") == {}


def test_what_the_system_refuses_is_one_line_that_names_the_file(tmp_path):
    (tmp_path / "c.yaml").write_text("project: {folder: /proc/project}")
    done = octflow("mark", "--slice", 1, "--hold", "torn", tmp_path / "c.yaml")
    assert done.returncode == 1
    assert done.stderr == "octflow: /proc/project: found no such file or directory\n"


def test_a_wrong_configuration_is_one_line_and_exit_1(tmp_path):
    (tmp_path / "c.yaml").write_text("stitch: {overlap: 3}")
    done = octflow("config", tmp_path / "c.yaml")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "stitch.overlap: found 3" in done.stderr


def test_a_misspelt_key_is_said_to_be_unknown_with_its_file(tmp_path):
    (tmp_path / "c.yaml").write_text("stitch: {overlapp: 3}")
    done = octflow("status", tmp_path / "c.yaml")
    assert done.returncode == 1
    found = "stitch.overlapp: found 3: there is no such key, `octflow config` prints all\n"
    assert done.stderr == f"octflow: {tmp_path / 'c.yaml'}: configuration: {found}"


@pytest.mark.parametrize("content", [b"a: [1\n", b"tiles\n", b"\xff\xd0\x80"])
def test_what_is_no_configuration_is_one_line_and_exit_1(tmp_path, content):
    (tmp_path / "c.yaml").write_bytes(content)
    done = octflow("config", tmp_path / "c.yaml")
    assert done.returncode == 1
    assert done.stderr.startswith(f"octflow: {tmp_path / 'c.yaml'}: found ")
    assert done.stderr.count("\n") == 1


def test_setup_links_a_profile_and_moves_its_own_link(tmp_path):
    link = tmp_path / "zircon"
    for source in (tmp_path / "old", tmp_path / "new"):
        link_profile(source, link)
    assert link.readlink() == tmp_path / "new"


def test_setup_leaves_a_profile_of_the_user_alone(tmp_path):
    (tmp_path / "zircon").mkdir()
    assert "kept" in link_profile(tmp_path / "new", tmp_path / "zircon")
    assert not (tmp_path / "zircon").is_symlink()


def test_another_simulation_in_the_folder_is_refused_in_words(tmp_path):
    octflow("simulate", tmp_path, "--preset", "tiny", "--slices", 1)
    done = octflow("simulate", tmp_path, "--preset", "tiny", "--slices", 1, "--seed", 9)
    assert done.returncode == 1
    assert "another simulation" in done.stderr


def test_status_is_a_table_and_the_same_as_json(tmp_path):
    config = {"project": {"folder": str(tmp_path / "p")}, "acquisition": {"folder": str(tmp_path)}}
    (tmp_path / "c.yaml").write_text(json.dumps(config))
    declare_missing(tmp_path / "p", 1, [1], "laser off")
    table = octflow("status", tmp_path / "c.yaml")
    told = json.loads(octflow("status", tmp_path / "c.yaml", "--json").stdout)
    counts = {count["rule"]: count for count in told["counts"]}
    assert table.returncode == 0
    (row,) = (line.split() for line in table.stdout.splitlines() if line.startswith("process_"))
    expected = counts["process_batch"]["expected"]
    assert row == ["process_batch", "0", "0", "0", "0", str(expected), str(expected)]
    assert told["slices"][0]["mosaics"][0]["batches"][0]["jobs"]["start_batch"] == "waiting"


def test_why_refuses_a_file_of_no_project_in_one_line(tmp_path):
    done = octflow("why", tmp_path / "a.nii")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "a.nii: found no project around it" in done.stderr


def test_a_mark_is_shown_and_a_replay_of_nothing_refused(tmp_path):
    config = {"project": {"folder": str(tmp_path / "p")}, "acquisition": {"folder": str(tmp_path)}}
    (tmp_path / "c.yaml").write_text(json.dumps(config))
    octflow("mark", "--slice", 2, "--hold", "torn", tmp_path / "c.yaml")
    assert "ON HOLD  slice 2: torn (" in octflow("mark", tmp_path / "c.yaml").stdout
    done = octflow("replay", "--slice", 2, "--from", "stitch", tmp_path / "c.yaml")
    assert done.returncode == 1
    assert "found no flag in slice 2, expected one of stitch" in done.stderr


def test_a_part_is_named_once(tmp_path):
    done = octflow("replay", "--slice", 2, "--batch", "1/1", "--from", "stitch")
    assert done.returncode == 2
    assert "found 2 of --slice, --mosaic, --batch" in done.stderr


def test_unlock_names_a_holder_on_another_host_and_exits_1(tmp_path):
    config = {"project": {"folder": str(tmp_path)}, "acquisition": {"folder": str(tmp_path)}}
    (tmp_path / "c.yaml").write_text(json.dumps(config))
    lock = state_lock(tmp_path)
    with lock.holding("mark"):
        elsewhere = asdict(lock.holder()) | {"host": "auxiliary", "place": "elsewhere"}
    (lock.folder / "lock-00000002").write_text(json.dumps(elsewhere))
    done = octflow("unlock", tmp_path / "c.yaml")
    assert done.returncode == 1
    assert "the state: held, as far as is known, by process" in done.stdout
    assert "on auxiliary, since" in done.stdout
    assert lock.holder().host == "auxiliary"


def test_a_batch_is_named_by_its_mosaic_and_number():
    assert BatchName().convert("3/2", None, None) == Part(mosaic=3, batch=2)
    with pytest.raises(click.BadParameter, match="found 3, expected MOSAIC/BATCH"):
        BatchName().convert("3", None, None)
