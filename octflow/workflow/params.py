"""What the rules would give a job now: the parameters that its record would have."""

import inspect
import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snakemake.api import ConfigSettings, ResourceSettings, SnakemakeApi, StorageSettings
from snakemake.rules import Rule

from octflow.core.layout import job_of
from octflow.workflow.adapter import RESERVED
from octflow.workflow.config import PIPELINE


class _Wildcards(SimpleNamespace):
    """The wildcards of a job, as functions of rules are given them."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Return names and values."""
        return vars(self).items()


class Rules:
    """The rules of the Snakefile, loaded for one configuration.

    Loading enters the runs of the project, as every look of Snakemake at it does: what killed
    runs left of Snakemake's locks is removed.

    Parameters
    ----------
    file : Path, optional
        What would be given to `snakemake --configfile`.
    """

    def __init__(self, file: Path | None) -> None:
        here = Path.cwd()
        files = [] if file is None else [file.absolute()]
        try:
            with SnakemakeApi() as api:
                loaded = api.workflow(
                    resource_settings=ResourceSettings(cores=1),
                    config_settings=ConfigSettings(configfiles=files),
                    storage_settings=StorageSettings(),
                    snakefile=PIPELINE / "Snakefile",
                )
                rules: list[Rule] = list(loaded._workflow.rules)
        finally:
            os.chdir(here)  # Snakemake has gone to the project folder.
        self._rules = {rule.name: rule for rule in rules}

    def parameters(self, flag: str) -> dict[str, Any]:
        """Return the parameters of the job of a flag, as its record would have them, and `version`.

        Those that depend on the resources of the job are left out: they decide no product.
        """
        rule, ids = job_of(flag) or ("", {})
        named = {k: f"{v:03d}" if isinstance(v, int) else v for k, v in ids.items()}
        wildcards = _Wildcards(**named)
        found = {
            name: _value(value, wildcards)
            for name, value in self._rules[rule].params.items()
            if name not in RESERVED - {"version"} and _is_decisive(value)
        }
        plain: dict[str, Any] = json.loads(json.dumps(found))
        return plain

    def names(self, flag: str) -> set[str]:
        """Return the names of all parameters of the rule of a flag."""
        rule, _ = job_of(flag) or ("", {})
        return set(self._rules[rule].params.keys())


def _is_decisive(value: Any) -> bool:  # noqa: ANN401 - whatever a rule says
    """Tell whether Snakemake would compare a param with what it was."""
    return not callable(value) or set(inspect.signature(value).parameters) == {"wildcards"}


def _value(value: Any, wildcards: _Wildcards) -> Any:  # noqa: ANN401 - whatever a rule says
    if callable(value):
        return value(wildcards)
    return value.format(**vars(wildcards)) if isinstance(value, str) else value
