"""What the functions of `matlab/` say of themselves, and that both programs have what they use."""

import re

import pytest

from octave import FUNCTIONS

README = (FUNCTIONS / "README.md").read_text()
PATHS = sorted(FUNCTIONS.glob("*.m"))
OF_OCTAVE_ALONE = re.compile(
    r"\b(?:fflush|printf|puts|getppid|rename|stdout|isargout|\w+_dumps_octave_core"
    r"|end(?:if|for|while|function|switch)|end_try_catch|unwind_protect|do|until)\b"
    r"|[-+*/]=|!=|[\"#!]"
)
"""Names and signs that MATLAB does not know, and strings that mean something else there."""
NOT_IN_OCTAVE = re.compile(
    r"\b(?:arguments|import|string|strlength|contains|replace|split|join|table|datetime"
    r"|niftiread|niftiwrite|niftiinfo|imgaussfilt|medfilt\w*|imfilter|imresize|imwarp|bwlabeln"
    r"|mat2gray|lsqcurvefit|lsqnonlin|histcounts|memmapfile|griddedInterpolant|pagemtimes"
    r"|gpuArray|parpool|gcp|parfeval|MException|mustBe\w+)\s*\("
    r"|'(?:all|omitnan|omitmissing)'"
)
"""Functions of later releases and of toolboxes."""
GUARDED = re.compile(r"if exist\('OCTAVE_VERSION', 'builtin'\).*?^ *(?:else|end)\b", re.S | re.M)


def code_of(path):
    """Return a function without help, comments and what only Octave is told."""
    lines = (line for line in path.read_text().splitlines() if not line.lstrip().startswith("%"))
    return GUARDED.sub("", "\n".join(lines))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_function_has_a_help_text_and_a_place_in_the_table(path):
    first, title, call, *_ = path.read_text().splitlines()
    name = path.stem
    assert re.match(rf"function (?:.*= ?)?{name}\(", first)
    assert re.match(rf"%{name.upper()}  [A-Z].*[.:]$", title)
    assert re.match(rf"%   .*\b{name}\(", call)
    assert f"`{name}" in README


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_both_programs_have_what_a_function_uses(path):
    code = re.sub(r"%.*", "", code_of(path)).replace(".'", "")
    assert OF_OCTAVE_ALONE.findall(re.sub(r"'[^'\n]*'", "''", code)) == []
    assert NOT_IN_OCTAVE.findall(code) == []


def test_the_check_finds_what_only_octave_has():
    for line in ("x += 1", 'y = "a"', "endfunction", "fflush(stdout)", "a != b"):
        assert OF_OCTAVE_ALONE.search(line)
