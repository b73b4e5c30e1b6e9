"""What every rule must look like; each check names the rules that do not."""

import ast
import importlib.util
import inspect
import re
from pathlib import Path

from octflow.workflow.adapter import RESERVED

ROOT = Path(__file__).parents[2]
STAGES = (
    *("ingest", "convert", "process", "archive"),
    *("stitch", "volume", "register", "stack", "upload"),
)
VERBS = {
    "start",
    "archive",
    "convert",
    "process",
    "find",
    "refine",
    "stitch",
    "join",
    "register",
    "place",
    "stack",
    "upload",
}


def stage_of(rule):
    return Path(str(rule.snakefile)).stem


def function_of(rule):
    return getattr(importlib.import_module(f"octflow.stages.{stage_of(rule)}.files"), rule.name)


def unnamed(rules):
    """Rules whose name is not verb_noun with a verb of the closed list."""
    return [r.name for r in rules if not re.fullmatch(rf"({'|'.join(VERBS)})_[a-z]+", r.name)]


def undocumented(rules):
    return [r.name for r in rules if not (r.docstring and r.docstring.strip().endswith("."))]


def misplaced_logs(rules):
    """Rules whose log or benchmark is not named after them."""
    return [
        r.name
        for r in rules
        if not str(r.log[0]).startswith(f"logs/{r.name}/")
        or not str(r.benchmark).startswith(f"benchmarks/{r.name}/")
    ]


def misplaced_scripts(rules):
    return [r.name for r in rules if r.script != f"../scripts/{stage_of(r)}/{r.name}.py"]


def careless_scripts(rules):
    """Rules whose script does more than import two names and call one with the other."""
    bad = []
    for rule in rules:
        path = ROOT / "scripts" / stage_of(rule) / f"{rule.name}.py"
        kinds = [type(node).__name__ for node in ast.parse(path.read_text()).body]
        if kinds != ["ImportFrom", "ImportFrom", "Expr"]:
            bad.append(rule.name)
    return bad


def mismatched_calls(rules):
    """Rules whose inputs, outputs and params are not the arguments of their function."""
    bad = []
    for rule in rules:
        declared = {*rule.input.keys(), *rule.output.keys(), *rule.params.keys()} - RESERVED
        accepted = set(inspect.signature(function_of(rule)).parameters) - {"threads"}
        if declared != accepted:
            bad.append(f"{rule.name}: {sorted(declared ^ accepted)}")
    return bad


def incomplete(rules):
    """Rules without a flag, a unit, a version, memory, run time or exactly one pool."""
    bad = []
    for rule in rules:
        pools = [name for name in rule.resources if name.endswith("_pool")]
        has = {"flag"} <= set(rule.output.keys()) and {"unit", "version"} <= set(rule.params.keys())
        if not has or len(pools) != 1 or not {"mem_mb", "runtime"} <= set(rule.resources):
            bad.append(rule.name)
    return bad


def unordered(rules):
    """Rules whose jobs do not say how urgent they are."""
    return [r.name for r in rules if getattr(r.priority, "__name__", "") != "priority"]


def unnamed_files(rules):
    """Rules with an input or output that has no name."""
    return [
        r.name
        for r in rules
        if any(name is None for name, _ in (*r.input._allitems(), *r.output._allitems()))
    ]


def plain_pattern(path):
    """Strip the constraints from the wildcards of a path."""
    return re.sub(r"\{(\w+),[^}]*\}", r"{\1}", str(path))


def impure_rule_files(folder):
    """Rule files with Python in them, without a docstring, or too long."""
    bad = []
    for path in sorted(folder.glob("*.smk")):
        text = path.read_text()
        pure = not re.search(r"^\s*(def |if |for |import )|lambda", text, re.MULTILINE)
        contract = text.startswith(f'"""Stage {path.stem}: ') and "\nreads " in text
        if not (pure and contract and len(text.splitlines()) <= 250):
            bad.append(path.name)
    return bad


CHECKS = [
    unnamed,
    undocumented,
    misplaced_logs,
    misplaced_scripts,
    careless_scripts,
    mismatched_calls,
    incomplete,
    unordered,
    unnamed_files,
]
