"""House style is a test, not a wish."""

import shutil
import string

import pytest
import yaml

from octflow.core.layout import FLAGS

import house_style as style
import runs


@pytest.mark.parametrize("check", style.CHECKS, ids=lambda c: c.__name__)
def test_no_rule_breaks_the_style(rules, check):
    assert check(rules) == []


def test_rule_files_hold_only_rules():
    assert style.impure_rule_files(style.ROOT / "rules") == []


def test_snakefile_includes_the_stages_in_data_order_and_fits_on_a_screen():
    text = (style.ROOT / "Snakefile").read_text()
    assert [f'include: "rules/{stage}.smk"' for stage in style.STAGES] == [
        line for line in text.splitlines() if line.startswith("include:")
    ]
    assert len(text.splitlines()) <= 80


@pytest.mark.parametrize("stage", style.STAGES)
def test_a_stage_has_its_word_in_every_place(stage):
    root = style.ROOT
    for place in (
        f"rules/{stage}.smk",
        f"scripts/{stage}",
        f"octflow/stages/{stage}/settings.py",
        f"octflow/stages/{stage}/files.py",
        f"tests/stages/{stage}",
        f"docs/stages/{stage}.md",
    ):
        assert (root / place).exists(), place


def test_flags_lie_where_the_layout_says(rules):
    widths = {"slice": 3, "mosaic": 3, "batch": 3, "share": 3}
    for rule in rules:
        fields = [name for _, name, _, _ in string.Formatter().parse(FLAGS[rule.name]) if name]
        values = {name: 7 if name in widths else "abc" for name in fields}
        texts = {k: f"{v:03d}" if k in widths else v for k, v in values.items()}
        assert style.plain_pattern(rule.output.flag).format(**texts) == FLAGS[rule.name].format(
            **values
        )
    assert {rule.name for rule in rules} == set(FLAGS)


def test_the_slurm_profile_sends_the_register_pool_and_no_other_to_auxiliary_nodes(rules):
    profile = yaml.safe_load((style.ROOT / "profiles/slurm/config.yaml").read_text())
    sent = {rule: chosen["slurm_partition"] for rule, chosen in profile["set-resources"].items()}
    assert sent == {rule.name: "aux" for rule in rules if "register_pool" in rule.resources}
    assert "slurm_partition=zircon" in profile["default-resources"]


BAD_RULES = {
    "unnamed": ("find_focus", "seek_focus"),
    "undocumented": ('    """Find the field curvature of an illumination."""\n', ""),
    "misplaced_logs": ("<logs>/find_focus/", "<logs>/find_tilemap/"),
    "misplaced_scripts": ("volume/find_focus.py", "volume/stitch_volume.py"),
    "mismatched_calls": ('modality="{modality}",', 'contrast="{modality}",'),
    "incomplete": ("        stitch_pool=1,\n        mem_mb=500,", "        mem_mb=500,"),
    "unordered": ("    priority: session.priority\n", ""),
    "unnamed_files": (
        "processed=collect(\n            rules.process_batch.output.flag,\n            mosaic=",
        "collect(\n            rules.process_batch.output.flag,\n            mosaic=",
    ),
}


@pytest.mark.parametrize("check", BAD_RULES)
def test_a_rule_that_breaks_the_style_is_caught(check, load_rules, tmp_path):
    for part in ("Snakefile", "rules", "scripts", "config"):
        source = style.ROOT / part
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / part)
    path = tmp_path / "rules" / "volume.smk"
    good, bad = BAD_RULES[check]
    assert good in path.read_text()
    path.write_text(path.read_text().replace(good, bad))
    assert getattr(style, check)(load_rules(tmp_path / "Snakefile")) != []


def test_a_rule_file_with_python_in_it_is_caught(tmp_path):
    (tmp_path / "stitch.smk").write_text(
        '"""Stage stitch: x.\n\nreads y\n"""\ndef f(w):\n    pass\n'
    )
    assert style.impure_rule_files(tmp_path) == ["stitch.smk"]


def test_reading_the_rules_does_not_look_at_what_has_been_acquired(tmp_path):
    folders = {"project": {"folder": str(tmp_path)}, "acquisition": {"folder": str(tmp_path)}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(folders))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "missing.json").write_text("damaged: whoever looks finds out")
    assert runs.snakemake(tmp_path, "--list-rules")[0] == 0
    status, said = runs.snakemake(tmp_path, "-n")
    assert status == 1
    assert "missing.json" in said
