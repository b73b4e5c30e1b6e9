import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from subprocess import PIPE

import pytest
from click.testing import CliRunner
from PIL import Image

from octflow.cli.cmd_pages import command
from octflow.services.jobs import Expected
from octflow.services.pages import write_pages
from octflow.services.pages.facts import read_facts
from octflow.services.pages.grid import grid_of
from octflow.services.pages.pictures import LONGEST_PX
from octflow.services.state import peek_project

from flags import write_flag
from halfway import fill, picture

FAR_S = 1e12


@pytest.fixture
def filled(project):
    return fill(project)


def states(project, mosaic):
    session = project.session()
    part = peek_project(session).slices[0].mosaics[mosaic - 1]
    facts = read_facts(project.project, project.folder / "read", until_s=FAR_S)
    grid = grid_of(
        part, session.config.experiment, facts.of(f"mosaic-{mosaic:03d}"), session.ready.missing
    )
    return {cell.tile: cell for cell in grid.cells}


def jobs_of(session):
    expected, experiment = Expected(session), session.config.experiment
    yield from expected.of_project()
    for slice_id in (1, 2):
        yield from expected.of_slice(slice_id)
        for mosaic in experiment.mosaics_of(slice_id):
            yield from expected.of_mosaic(mosaic)
            for batch in experiment.batches_of(mosaic):
                yield from expected.of_batch(mosaic, batch)


def stamps(folder):
    files = (path for path in folder.rglob("*.*") if path.is_file())
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def text(path):
    """The words of a page, as a reader of its source has them."""
    return re.sub(r"\s+", " ", path.read_text())


def test_there_is_a_page_for_the_project_and_each_slice_and_mosaic(filled):
    index = write_pages(filled.session())
    assert index == filled.project / "pages" / "index.html"
    names = {path.name for path in index.parent.glob("*.html")}
    mosaics = {f"mosaic-00{m}.html" for m in (1, 2, 3, 4)}
    assert names == {"index.html", "slice-001.html", "slice-002.html"} | mosaics


def test_an_empty_project_has_pages(project):
    assert "nothing" not in write_pages(project.session(project={"folder": "p"})).name
    assert "there is no spectral tile" in text(write_pages(project.session()))


def test_a_tile_is_in_the_state_that_outweighs_the_others(filled):
    assert {t: c.state for t, c in states(filled, 1).items()} == {
        1: "processed",
        2: "processed",
        3: "processed",
        4: "hole",
        5: "failed",
        6: "failed",
    }
    found = states(filled, 2)
    assert {t: c.state for t, c in found.items()} == {
        1: "converted",
        2: "converted",
        3: "arrived",
        4: "missing",
    }
    assert "tile is noise" in states(filled, 1)[4].said


def test_tiles_lie_as_they_are_scanned(filled):
    places = {t: (c.x, c.y) for t, c in states(filled, 1).items()}
    assert places == {1: (0, 1), 2: (0, 0), 3: (1, 0), 4: (1, 1), 5: (2, 1), 6: (2, 0)}


def test_only_pages_that_changed_are_rewritten(filled):
    folder = write_pages(filled.session()).parent
    before = stamps(folder)
    filled.process(2, 2, ok=[3], missing=[{"tile": 4, "reason": "laser off"}])
    write_pages(filled.session())
    after = stamps(folder)
    changed = {name for name in before if before[name] != after[name]}
    assert changed >= {"index.html", "slice-001.html", "mosaic-002.html"}
    # The time to go of mosaic 1 depends on the pace of all.
    assert not changed & {"slice-002.html", "mosaic-003.html", "mosaic-004.html", "pages.css"}


def test_two_that_write_the_same_pages_do_not_disturb_each_other(filled):
    with ThreadPoolExecutor(4) as pool:
        written = [pool.submit(write_pages, filled.session()) for _ in range(4)]
        (folder,) = {one.result().parent for one in written}
    assert all(path.read_text().endswith("</html>") for path in folder.glob("*.html"))
    assert list(folder.rglob(".part-*")) == []


def test_a_page_that_was_taken_away_is_written_again(filled):
    folder = write_pages(filled.session()).parent
    (folder / "mosaic-004.html").unlink()
    write_pages(filled.session())
    assert (folder / "mosaic-004.html").exists()


def test_small_copies_are_made_once_and_again_when_the_picture_changes(filled):
    folder = write_pages(filled.session()).parent / "small"
    before = stamps(folder)
    picture(filled.project / "qc/slice-001.jpg")
    write_pages(filled.session())
    after = stamps(folder)
    assert [name for name in before if before[name] != after[name]] == ["slice-001.jpg"]
    with Image.open(folder / "qc" / "slice-001.jpg") as small:
        assert max(small.size) == LONGEST_PX


def test_records_are_read_once_and_again_when_they_change(filled):
    kept = filled.folder / "read"
    first = read_facts(filled.project, kept, until_s=FAR_S)
    for path in filled.project.glob("mosaic-001/state/batch-001.*"):
        at_ns, size = path.stat().st_mtime_ns, path.stat().st_size
        path.write_text("x" * size)
        os.utime(path, ns=(at_ns, at_ns))
    assert read_facts(filled.project, kept, until_s=FAR_S) == first
    path.touch()
    assert read_facts(filled.project, kept, until_s=FAR_S).broken == [
        str(path.relative_to(filled.project))
    ]


def test_what_there_was_no_time_for_is_said_and_read_by_the_next_look(filled):
    flags = len(list(filled.project.glob("mosaic-*/state/*")))
    index = write_pages(filled.session(), seconds=-1)
    assert f"{flags} records have not been read yet" in text(index)
    assert not (index.parent / "small").exists()
    assert "have not been read yet" not in text(write_pages(filled.session()))


def test_a_retired_flag_is_forgotten(filled):
    kept = filled.folder / "read"
    read_facts(filled.project, kept, until_s=FAR_S)
    (filled.project / "mosaic-002/state/batch-001.complex").unlink()
    facts = read_facts(filled.project, kept, until_s=FAR_S)
    assert facts.of("mosaic-002") == []
    assert json.loads((kept / "mosaic-002.json").read_text())["flags"] == {}


def test_a_damaged_picture_has_a_link_and_no_small_copy(filled):
    path = filled.project / "qc/slice-001.jpg"
    path.write_bytes(path.read_bytes()[:200])
    write_pages(filled.session())
    said = (filled.project / "pages/slice-001.html").read_text()
    assert 'href="../qc/slice-001.jpg">slice-001</a>' in said


def test_names_and_reasons_are_text_and_no_markup(filled):
    for path in write_pages(filled.session()).parent.glob("*.html"):
        said = path.read_text()
        assert set(re.findall(r"<script[^>]*>", said)) == {
            '<script src="pages.js" defer>',
            '<script src="looked.js" defer>',
        }
        assert "<b>" not in said


def test_milestones_have_the_times_of_the_records(filled):
    filled.process(1, 3)
    write_pages(filled.session())
    said = text(filled.project / "pages/mosaic-001.html")
    reached = re.findall(r'"reached"><span>.*?</svg> ([^<]*)</span>', said)
    quarters = [f"{n} % of tiles" for n in (25, 50, 75, 100)]
    assert reached == ["started", *quarters]
    ended = json.loads((filled.project / "mosaic-001/state/batch-003.processed").read_text())
    assert f'100 % of tiles</span> <span><time datetime="{ended["ended_at"][:19]}Z">' in said


def test_the_pages_may_lie_elsewhere(filled):
    index = write_pages(filled.session(), filled.folder / "web" / "deep")
    (link,) = re.findall(r'href="([^"]*attempt-002.json)"', index.read_text())
    assert link.startswith("../../p%20%231%20%3Cb%3E%20%C3%A4%2541/lineage/")
    assert not (filled.project / "pages").exists()


def test_pages_are_loaded_again_only_until_all_is_done(filled):
    said = write_pages(filled.session(), every_s=30).read_text()
    assert '<meta http-equiv="refresh" content="30">' in said
    for job in jobs_of(filled.session()):
        write_flag(filled.project / job.flag, job.rule, unit={"slice": 1})
    said = write_pages(filled.session()).read_text()
    assert 'http-equiv="refresh"' not in said
    assert 'data-finished="1"' in said


def test_the_time_of_the_look_is_written_even_where_no_page_changes(filled):
    folder = write_pages(filled.session(), every_s=50).parent
    first = (folder / "looked.js").read_text()
    time.sleep(1.1)
    write_pages(filled.session(), every_s=50)
    assert (folder / "looked.js").read_text() != first
    assert '"stale_s": 150' in first


def test_the_command_writes_the_pages_and_says_where(filled):
    config = filled.folder / "c.yaml"
    config.write_text(json.dumps(filled.values()))
    done = CliRunner().invoke(command, [str(config)])
    assert done.output == f"{filled.project / 'pages' / 'index.html'}\n"
    assert filled.project.joinpath("pages/mosaic-004.html").exists()


def test_the_command_goes_on_where_a_look_fails(filled):
    config = filled.folder / "c.yaml"
    config.write_text("project: {folder: 3}")
    octflow = [sys.executable, "-m", "octflow.cli", "pages", str(config), "--every", "1"]
    with subprocess.Popen(octflow, stderr=PIPE, stdout=PIPE, text=True) as run:
        assert "project.folder: found 3" in run.stderr.readline()
        config.write_text(json.dumps(filled.values()))
        said = run.stdout.readline()
        run.terminate()
    assert said == f"{filled.project / 'pages' / 'index.html'}\n"
