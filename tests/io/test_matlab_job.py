"""Batches under GNU Octave, and under stand-ins for MATLAB, that end well and that do not."""

import json
import logging
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from octflow.core.backend import MatlabSettings
from octflow.core.errors import SettingsError, TileError
from octflow.io import matlab_engine
from octflow.io.matlab_job import MatlabTile, read_made, run_batch, work_folder

import matlab_programs as programs
from octave import needs_octave

pytestmark = needs_octave

WRITE = "write_nifti(tile.outputs.map, single([1, 2; 3, 4; 5, 6]), [1, 1, 1]);"
TILES = (1, 2, 3)


def run_in(folder, body=WRITE, *, backend="octave", tiles=TILES, threads=1, **said):
    """Let a backend run a step of the lab's over tiles, in a folder that stays."""
    work = folder / "it's work"
    work.mkdir(exist_ok=True)
    lab = programs.functions(folder / "lab", run_test=body)
    return run_batch(
        "test",
        [MatlabTile(t, folder / f"in-{t}", {"map": work / f"map-{t}.nii"}) for t in tiles],
        {"n": 3},
        backend=backend,
        settings=programs.settings(functions=lab, **said),
        digest="sha256:0",
        work=work,
        threads=threads,
    )


@pytest.fixture
def run(tmp_path):
    return partial(run_in, tmp_path)


@pytest.fixture(scope="module")
def engine():
    """Put the stand-in of the Engine where Python finds it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(programs.ENGINE))
        yield
    for name in ("matlab.engine", "matlab"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory, engine):
    """Return settings with which a backend, or what stands in for it, is found."""
    matlab = programs.program(tmp_path_factory.mktemp("bin"), "matlab", programs.MATLAB)
    return {"octave": {}, "matlab": {"executable": matlab}, "matlab-engine": {}}


def on_second(body):
    return f"if tile.tile == 2, {body}, end\n{WRITE}"


def kinds(batch):
    return {t: v.kind if not v.ok else "ok" for t, v in sorted(batch.verdicts.items())}


def found_of(batch, tile):
    return read_made(batch.of(tile).outputs["map"], (2, 3)).tolist()


def assert_well(batch, name):
    assert kinds(batch) == dict.fromkeys(TILES, "ok")
    assert [found_of(batch, t) for t in TILES] == [[[1, 3, 5], [2, 4, 6]]] * 3
    assert (batch.program.name, batch.program.id) == (name, "sha256:0")
    assert batch.program.version.startswith("GNU Octave ")


@pytest.mark.parametrize("threads", [1, 2])
def test_octave_works_on_every_tile(run, threads):
    assert_well(run(threads=threads), "octave")


def test_matlab_is_started_once_for_a_batch(run, tmp_path):
    counting = f'echo started >> "{tmp_path / "starts"}"\n{programs.MATLAB}'
    matlab = programs.program(tmp_path, "matlab", counting)
    assert_well(run(backend="matlab", executable=matlab, threads=3), "matlab")
    assert (tmp_path / "starts").read_text() == "started\n"


def test_the_options_of_matlab_come_before_batch(run, tmp_path):
    matlab = programs.program(tmp_path, "matlab", '[ "$1" = -nojvm ] && shift\n' + programs.MATLAB)
    assert_well(run(backend="matlab", executable=matlab, options=["-nojvm"]), "matlab")


def test_the_engine_works_on_every_tile(run, engine):
    assert_well(run(backend="matlab-engine"), "matlab-engine")


def test_an_engine_that_hangs_is_stopped(run, engine):
    batch = run(on_second("pause(60)"), backend="matlab-engine", timeout_s=4)
    assert kinds(batch) == {1: "ok", 2: "transient", 3: "transient"}


def test_an_engine_that_does_not_listen_is_left_to_itself(run, engine, monkeypatch, caplog):
    monkeypatch.setattr(matlab_engine, "GRACE_S", 0.5)
    batch = run(on_second("pause(8)"), backend="matlab-engine", options=["-deaf"], timeout_s=4)
    assert kinds(batch) == {1: "ok", 2: "transient", 3: "transient"}
    assert "MATLAB does not end, and is left to itself" in caplog.text


def test_an_engine_without_licence_may_have_one_later(run, engine):
    batch = run(backend="matlab-engine", options=["-nolicense"])
    assert kinds(batch) == dict.fromkeys(TILES, "transient")
    assert "License Manager Error" in batch.verdicts[1].message


@pytest.mark.parametrize(
    ("executable", "said"),
    [("matlab", r"24\.1\.\*' for R2024a"), ("R2024b/bin/matlab", r"R2024b: .*==24\.2\.\*'")],
)
def test_without_the_engine_it_is_said_how_it_is_installed(run, monkeypatch, executable, said):
    # So Python is told that there is none.
    monkeypatch.setitem(sys.modules, "matlab.engine", None)
    with pytest.raises(SettingsError, match=said):
        run(backend="matlab-engine", executable=executable)


def test_a_program_that_there_is_not_is_named_with_its_key():
    with pytest.raises(SettingsError, match=r"matlab\.octave no-octave: found No such file"):
        run_without_program()


def run_without_program():
    with work_folder(programs.FUNCTIONS.parent / "build", "none") as work:
        tile = MatlabTile(1, work / "in", {})
        run_batch(
            "test",
            [tile],
            {},
            backend="octave",
            settings=MatlabSettings(octave="no-octave"),
            digest=None,
            work=work,
            threads=1,
        )


BACKENDS = ("octave", "matlab", "matlab-engine")
HALF = "f = fopen(tile.outputs.map, 'w'); fwrite(f, zeros(100, 1)); fclose(f);"
FAULTS = {
    "bad data": ("refuse(tile.input, 'noise', 'tissue')", "data", "found noise, expected tissue"),
    "a defect": ("no_such_function(1)", "code", "no_such_function"),
    "a full disk": ("error('octflow:file', 'no room')", "transient", "no room"),
    "no memory": ("zeros(1e5, 1e5, 1e5)", "resource", "out of memory"),
    "no licence": ("error('MATLAB:license:checkoutFailed', 'gone')", "transient", "gone"),
    "a kill": ("kill(getpid(), 9)", "resource", "killed by SIGKILL"),
    "a kill in a file": (f"{HALF} kill(getpid(), 9)", "resource", "killed by SIGKILL"),
    "a crash": ("kill(getpid(), 6)", "resource", "killed by SIGABRT"),
    "another crash": ("kill(getpid(), 11)", "resource", "killed by SIGSEGV"),
    "an end": ("exit(3)", "code", "exit status 3"),
    "a quiet end": ("exit(0)", "code", "exit status 0"),
    "half a file": (f"{HALF} return", "code", "found 100 bytes, expected 376"),
    "no file": ("return", "code", "found 0 bytes, expected 376"),
}
"""What a function does to one tile, what sort of failure that is, what is said of it."""
ENDED = "MATLAB has already terminated"
"""All that the Engine says of a MATLAB that ended, whatever ended it."""


@pytest.fixture(scope="module", params=BACKENDS)
def faulty(request, stand_in, tmp_path_factory):
    """A batch in which all faults happen, with a good tile before and after each of them."""
    folder = tmp_path_factory.mktemp("faulty")
    cases = (f"case {2 * k}, {body}" for k, (body, *_) in enumerate(FAULTS.values(), 1))
    body = "\n".join(["switch tile.tile", *cases, "end", WRITE])
    tiles = range(1, 2 * len(FAULTS) + 2)
    said = stand_in[request.param]
    batch = run_in(folder, body, backend=request.param, tiles=tiles, **said)
    return request.param, folder, batch


def test_no_fault_of_one_tile_is_that_of_another(faulty):
    _, folder, batch = faulty
    good = range(1, 2 * len(FAULTS) + 2, 2)
    assert [found_of(batch, t) for t in good] == [[[1, 3, 5], [2, 4, 6]]] * len(good)
    assert list(folder.rglob("octave-workspace")) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_what_happened_to_a_tile_is_said_and_decides_whether_it_is_tried_again(faulty, fault):
    backend, _, batch = faulty
    _, kind, said = FAULTS[fault]
    if backend == "matlab-engine" and said.startswith(("killed", "exit")):
        kind, said = "resource", ENDED
    with pytest.raises(TileError, match=said) as failed:
        found_of(batch, 2 * list(FAULTS).index(fault) + 2)
    assert failed.value.kind == kind


@pytest.mark.parametrize("backend", ["octave", "matlab"])
def test_a_program_that_is_told_to_end_is_not_started_again(run, stand_in, tmp_path, backend):
    ended = on_second("kill(getpid(), 15); pause(10)")
    batch = run(ended, backend=backend, **stand_in[backend])
    assert kinds(batch) == {1: "ok", 2: "transient", 3: "transient"}
    assert list(tmp_path.rglob("octave-workspace")) == []


@pytest.mark.parametrize("backend", ["octave", "matlab"])
def test_a_program_that_hangs_is_killed_with_all_it_started(run, stand_in, backend):
    hanging = on_second("system('sleep 61.7 & sleep 61.7')")
    batch = run(hanging, backend=backend, timeout_s=4, **stand_in[backend])
    assert kinds(batch) == {1: "ok", 2: "transient", 3: "transient"}
    assert "nothing done for 4 s" in batch.verdicts[2].message
    assert not alive("sleep\x0061.7\x00")


def alive(command):
    time.sleep(0.2)
    lines = (p / "cmdline" for p in Path("/proc").iterdir() if p.name.isdigit())
    return [line for line in lines if line.exists() and line.read_text() == command]


@pytest.mark.parametrize("backend", ["octave", "matlab"])
def test_memory_that_is_limited_is_a_matter_of_resources(run, tmp_path, backend):
    script = "ulimit -v 1000000\n" + programs.OF_BACKEND[backend]
    limited = programs.program(tmp_path, "limited", script)
    # The first request is an error that is caught; the second ends the program.
    wanted = "switch tile.tile, case 2, ones(3e4, 3e4); case 3, zeros(1e6, 1e6); end"
    key = {"matlab": "executable", "octave": "octave"}[backend]
    batch = run(f"{wanted}\n{WRITE}", backend=backend, **{key: limited})
    assert kinds(batch) == {1: "ok", 2: "resource", 3: "resource"}


def test_a_licence_that_is_not_to_be_had_may_be_later(run, tmp_path):
    said = 'echo "License checkout failed." >&2\necho "License Manager Error -4" >&2\nexit 1\n'
    matlab = programs.program(tmp_path, "matlab", said)
    batch = run(backend="matlab", executable=matlab)
    assert kinds(batch) == dict.fromkeys(TILES, "transient")


def test_another_shape_or_type_is_found(run):
    batch = run("write_nifti(tile.outputs.map, single([1, 2, 3; 4, 5, 6]), [1, 1, 1]);")
    with pytest.raises(TileError, match=r"found float32 \(3, 2\), expected float32 \(2, 3\)"):
        found_of(batch, 1)


def test_what_the_program_says_is_in_the_log_as_it_comes(run, caplog):
    with caplog.at_level(logging.INFO):
        run(on_second("disp('half way'); fflush(stdout); pause(2.5)"))
    said = {r.getMessage(): r.created for r in caplog.records}
    (half_way,) = (at for line, at in said.items() if line == "octave-cli: half way")
    (done,) = (at for line, at in said.items() if line.startswith("octave-cli: tile 2 done"))
    assert done - half_way > 1


ALONE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import matlab_programs as programs
from octflow.io import matlab_engine
from octflow.io.matlab_job import MatlabTile, run_batch
here = Path(sys.argv[2])
tiles = [MatlabTile(t, here / "in", {"map": here / f"map-{t}.nii"}) for t in (1, 2)]
asked = programs.settings(functions=str(here / "lab"))
run_batch(
    "test", tiles, {}, backend="octave", settings=asked, digest=None, work=here, threads=1
)
"""


def test_octave_ends_when_nobody_waits_for_it(tmp_path):
    programs.functions(tmp_path / "lab", run_test=f"{WRITE} pause(1);")
    shared = str(Path(programs.__file__).parent)
    waiting = subprocess.Popen([sys.executable, "-c", ALONE, shared, str(tmp_path)])
    until((tmp_path / "map-1.nii").exists)
    waiting.kill()
    waiting.wait()
    until(lambda: "nobody waits for tile 2" in (tmp_path / "job-0-1.log").read_text())
    assert not (tmp_path / "map-2.nii").exists()


def test_a_program_that_cannot_tell_ends_when_its_folder_is_removed(tmp_path):
    begun = "fclose(fopen([tile.input, '-begun'], 'w')); pause(1);"
    lab = programs.functions(tmp_path / "lab", run_test=begun)
    tiles = [MatlabTile(t, tmp_path / f"in-{t}", {"map": tmp_path / "map"}).plain() for t in TILES]
    job = {"step": "test", "report": str(tmp_path / "work" / "report"), "tiles": tiles}
    (tmp_path / "work").mkdir()
    (tmp_path / "job").write_text(json.dumps(job | {"parameters": {}}))
    said = f"addpath('{programs.FUNCTIONS}'); addpath('{lab}'); run_job('{tmp_path / 'job'}')"
    running = subprocess.Popen(["octave-cli", "--no-gui", "-qf", "--eval", said])
    until((tmp_path / "in-1-begun").exists)
    shutil.rmtree(tmp_path / "work")
    assert running.wait(30) == 1
    assert not (tmp_path / "in-2-begun").exists()


def until(is_so, patience_s=30):
    latest_s = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < latest_s
        time.sleep(0.05)


def test_the_work_of_a_killed_job_is_removed(tmp_path):
    (tmp_path / ".backend-batch-001-old").mkdir()
    (tmp_path / ".backend-batch-002-other").mkdir()
    with work_folder(tmp_path, "batch-001"):
        assert len(list(tmp_path.glob(".backend-batch-001-*"))) == 1
    assert [p.name for p in tmp_path.iterdir()] == [".backend-batch-002-other"]
