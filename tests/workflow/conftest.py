"""Real Snakemake in the process: the one place that touches its private attributes."""

from pathlib import Path

import pytest
from snakemake.api import ConfigSettings, ResourceSettings, SnakemakeApi, StorageSettings
from snakemake.rules import Rule

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def load_rules(tmp_path_factory):
    """Load the rules of a Snakefile, as Snakemake sees them."""

    def load(snakefile: Path) -> list[Rule]:
        project = tmp_path_factory.mktemp("project")
        with pytest.MonkeyPatch.context() as patch, SnakemakeApi() as api:
            patch.chdir(project)
            workflow = api.workflow(
                resource_settings=ResourceSettings(cores=1),
                config_settings=ConfigSettings(config={"project": {"folder": str(project)}}),
                storage_settings=StorageSettings(),
                snakefile=snakefile,
            )
            return [rule for rule in workflow._workflow.rules if rule.name != "all"]

    return load


@pytest.fixture(scope="session")
def rules(load_rules):
    """All rules of the workflow."""
    return load_rules(ROOT / "Snakefile")
