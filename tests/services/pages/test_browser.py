"""The pages as people see them: in a browser, on a desk and on a phone, by day and by night."""

import io
import re
import time
from contextlib import chdir
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from PIL import Image

from octflow.services.pages import write_pages
from octflow.services.state import peek_project

from browser import browser, needs_chromium
from halfway import REASON, Project, fill

pytestmark = needs_chromium

PHONE = (390, 844)
DESK = (1200, 900)

LOOK = """
return Promise.all([...document.images].map((image) => {
  image.loading = "eager";
  return image.decode().catch(() => {});
})).then(() => ({
  title: document.title,
  heading: document.querySelector("h1").textContent,
  images: [...document.images].map((i) => [i.getAttribute("src"), i.naturalWidth, i.alt]),
  links: [...document.querySelectorAll("a[href]")].map((a) => a.href),
  heads: [...document.querySelectorAll("table")].map(
    (t) => t.querySelectorAll("th[scope=col]").length),
  unnamed: [...document.querySelectorAll("svg[role=img], .bar[role=img]")].filter(
    (e) => !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby"))).length,
  rows: [...document.querySelectorAll("tr[data-rule]")].map(
    (r) => [...r.children].map((c) => c.textContent)),
  text: document.body.innerText,
  age: document.getElementById("age").innerText,
}));
"""

CONTRAST = """
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const luminance = (colour) => {
  const [r, g, b] = numbers(colour).slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const colour = getComputedStyle(e).backgroundColor;
    if ((numbers(colour)[3] ?? 1) === 1) return colour;
  }
  return "rgb(255, 255, 255)";
};
const found = [];
for (const element of document.body.querySelectorAll("*")) {
  const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own || !element.getClientRects().length) continue;
  const style = getComputedStyle(element);
  const colour = element instanceof SVGElement ? style.fill : style.color;
  const [a, b] = [luminance(colour), luminance(behind(element))].sort((x, y) => y - x);
  found.push([(a + 0.05) / (b + 0.05), element.tagName + "." + element.className]);
}
return found;
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project at work, with its pages and its state when they were written."""
    with chdir(tmp_path_factory.mktemp("halfway")):
        project = Project(Path.cwd())
        with chdir(project.project):
            fill(project)
            project.index = write_pages(project.session())
            project.state = peek_project(project.session())
            yield project


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(made, tab):
    """What every page shows, found by following the links from the first."""
    tab.screen(*DESK)
    found, todo = {}, [made.index]
    while todo:
        path = todo.pop()
        tab.open(path)
        found[path.name] = {**tab.run(LOOK), "console": tab.console()}
        linked = {path_of(link) for link in found[path.name]["links"]}
        todo += [p for p in linked if p.suffix == ".html" and p.name not in found and p not in todo]
    return found


def path_of(link):
    return Path(unquote(urlsplit(link).path))


def test_every_page_is_reached_from_the_first(made, pages):
    assert set(pages) == {path.name for path in made.index.parent.glob("*.html")}


def test_the_console_is_silent(pages):
    assert {name: page["console"] for name, page in pages.items() if page["console"]} == {}


def test_every_link_leads_to_a_file_and_none_to_the_net(pages):
    links = [link for page in pages.values() for link in page["links"]]
    assert {urlsplit(link).scheme for link in links} == {"file"}
    assert [link for link in links if not path_of(link).exists()] == []
    kinds = {path_of(link).suffix for link in links}
    assert kinds >= {".html", ".json", ".log", ".jpg", ".processed"}


def test_every_picture_is_shown_and_described(pages):
    images = [image for page in pages.values() for image in page["images"]]
    assert len(images) == 5
    assert [image for image in images if image[1] == 0 or not image[2]] == []


def test_tables_have_headers_and_drawings_have_names(pages):
    assert all(min(page["heads"]) > 1 for page in pages.values())
    assert [page["unnamed"] for page in pages.values() if page["unnamed"]] == []


def test_the_numbers_are_those_of_the_state(made, pages):
    parts = {"index.html": made.state.counts}
    for part in made.state.slices:
        parts[f"slice-{part.slice:03d}.html"] = part.counts
        parts |= {f"mosaic-{m.mosaic:03d}.html": m.counts for m in part.mosaics}
    assert set(parts) == set(pages)
    for name, counts in parts.items():
        rows = [[r[0], *(int(n.rstrip("!")) for n in r[1:2] + r[3:])] for r in pages[name]["rows"]]
        wanted = [[c.rule, c.done, c.failed, c.open, c.waiting, c.expected] for c in counts]
        assert rows == wanted


def test_a_failed_batch_is_shown_with_its_reason_where_it_belongs(made, pages):
    (failed,) = made.state.failures
    assert REASON in failed.reason
    for name in ("index.html", "slice-001.html", "mosaic-001.html"):
        assert re.sub(r"\s+", " ", failed.reason) in re.sub(r"\s+", " ", pages[name]["text"])
        assert "2 attempts" in pages[name]["text"]
    assert "Failed: " not in pages["mosaic-002.html"]["text"]


def test_gates_warnings_and_lost_tiles_have_their_reasons(pages):
    for said in (f"overlap {REASON}", "0.25", "not measured", f"dim lamp {REASON}", "laser off"):
        assert said in pages["mosaic-002.html"]["text"]
    assert f"tile is noise {REASON}" in pages["mosaic-001.html"]["text"]


def test_what_people_decided_stands_on_the_pages_it_is_about(pages):
    held = {name for name, page in pages.items() if f"blurred {REASON}" in page["text"]}
    assert held == {"index.html", "slice-001.html", "mosaic-001.html"}
    assert "on hold: mosaic 1 batch 3" in pages["index.html"]["text"]


def test_markup_in_names_and_reasons_does_no_harm(pages):
    assert {page["title"].split(" ")[-1] for page in pages.values()} == {"octflow"}
    assert {page["heading"] for page in pages.values()} >= {"demo", "Slice 1", "Mosaic 1 normal"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_and_colours_follow_the_reader(made, tab, scheme):
    tab.screen(*DESK)
    tab.scheme(scheme)
    for name in ("index.html", "slice-001.html", "mosaic-001.html", "mosaic-002.html"):
        tab.open(made.index.with_name(name))
        found = tab.run(CONTRAST)
        assert len(found) > 50
        assert [one for one in found if one[0] < 4.5] == []
    picture = np.asarray(Image.open(io.BytesIO(tab.screenshot())).convert("L"))
    assert (np.median(picture) > 128) == (scheme == "light")
    assert len(np.unique(picture)) > 50


def test_a_phone_need_not_be_scrolled_sideways(made, tab):
    tab.scheme("light")
    tab.screen(*PHONE)
    for path in made.index.parent.glob("*.html"):
        tab.open(path)
        asked = "return [document.documentElement.scrollWidth, window.innerWidth]"
        assert tab.run(asked) == [390, 390], path.name


@pytest.mark.parametrize(
    ("age_s", "stale_s", "said"),
    [
        (3 * 3600, 180, "Old: looked at 3 h"),
        (60, 600, "Looked at"),
        (None, 180, "This page last changed"),
    ],
)
def test_a_page_says_how_old_it_is_and_when_it_is_too_old(made, tab, age_s, stale_s, said):
    file = made.index.with_name("looked.js")
    before = file.read_text()
    looked = f"octflowLooked({{looked_s: {time.time() - (age_s or 0)}, stale_s: {stale_s}}})"
    file.write_text("" if age_s is None else looked)
    tab.open(made.index)
    age = tab.run(LOOK)["age"]
    file.write_text(before)
    assert age.startswith(said)
