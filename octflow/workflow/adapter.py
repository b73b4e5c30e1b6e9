"""Run a stage function for a rule: the rule is its call site.

Named inputs and outputs become paths, params plain values or the settings models the function
asks for; `unit` and `version` stay here, and `flag` is written here, last, as the job's record.
"""

import inspect
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_origin

from octflow.core.errors import OctflowError, kind_of
from octflow.core.record import Outcome, Unit
from octflow.core.settings import Settings
from octflow.io.records import write_record
from octflow.workflow.records import Attempt, lineage_folder
from octflow.workflow.retry import back_off, refuse_defect

log = logging.getLogger("octflow")

RESERVED = {"flag", "version", "unit"}
"""Names of a rule that its function does not take: the adapter's own."""


def run(function: Callable[..., Outcome], snakemake: Any) -> None:  # noqa: ANN401 - untyped object
    """Call a stage function with what the job names, then write its record as the flag.

    Parameters
    ----------
    function : callable
        Takes every input, output and param of the rule by name, except those in `RESERVED`.
    snakemake : object
        What Snakemake puts into scripts.

    Raises
    ------
    SystemExit
        Octflow itself found what is wrong; the one line that says it is on stderr and in the log.
    """
    _set_up_logging(Path(snakemake.log[0]))
    attempts = lineage_folder(snakemake.rule, Unit.model_validate(snakemake.params.unit))
    wait_s = snakemake.resources.get("retry_wait_s", 0)
    back_off(attempts, wait_s)
    attempt = _attempt(function, snakemake)
    try:
        refuse_defect(attempts, wait_s)
        outcome = function(**arguments(function, snakemake))
        declared = {k: Path(p) for k, p in snakemake.output.items() if k not in RESERVED}
        record = attempt.succeeded(outcome, declared)
    except Exception as error:
        attempt.keep(attempt.failed(error, kind_of(error)))
        if isinstance(error, OctflowError):
            log.error("%s: %s", snakemake.rule, error)
            sys.exit(1)
        log.exception("%s failed", snakemake.rule)
        raise
    for warning in outcome.warnings:
        log.warning("%s: %s", snakemake.rule, warning)
    attempt.keep(record)
    write_record(Path(snakemake.output.flag), record)


def arguments(function: Callable[..., Outcome], snakemake: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the keyword arguments of a stage function from the parts of a job."""
    wanted = inspect.signature(function).parameters
    files = {**dict(snakemake.input.items()), **dict(snakemake.output.items())}
    values = {
        name: _paths(value, wanted[name].annotation)
        for name, value in files.items()
        if name in wanted
    }
    values |= {
        name: _validated(value, wanted[name].annotation)
        for name, value in snakemake.params.items()
        if name in wanted
    }
    if "threads" in wanted:
        values["threads"] = snakemake.threads
    return values


def _paths(value: Any, annotation: Any) -> Path | list[Path]:  # noqa: ANN401
    """Give a path, or a list of paths; Snakemake makes lists of one from collected inputs."""
    paths = [Path(value)] if isinstance(value, str) else [Path(v) for v in value]
    return paths[0] if annotation is Path else paths


def _validated(value: Any, annotation: Any) -> Any:  # noqa: ANN401
    """Give a param the type that the function asks for."""
    if annotation is Path:
        return Path(value)
    if inspect.isclass(annotation) and issubclass(annotation, Settings):
        return annotation.model_validate(value)
    if get_origin(annotation) is list and inspect.isclass(get_args(annotation)[0]):
        (item,) = get_args(annotation)
        return [_validated(v, item) for v in value]
    return value


def _attempt(function: Callable[..., Outcome], snakemake: Any) -> Attempt:  # noqa: ANN401
    parameters = {name: value for name, value in snakemake.params.items() if name not in RESERVED}
    return Attempt(
        stage=function.__module__.split(".")[2],
        rule=snakemake.rule,
        unit=Unit.model_validate(snakemake.params.unit),
        # Every input of every rule is a flag: stages meet through records.
        flags=[Path(path) for path in snakemake.input],
        parameters=parameters,
        stage_version=snakemake.params.version,
        pool=_pool(dict(snakemake.resources.items())),
        threads=snakemake.threads,
    )


def _pool(resources: dict[str, Any]) -> str:
    """Name the pool of a job: its one resource that ends in _pool."""
    return next(name.removesuffix("_pool") for name in resources if name.endswith("_pool"))


def _set_up_logging(path: Path) -> None:
    """Everything goes to the job's log, warnings also to the terminal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    to_file = logging.FileHandler(path, mode="w")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    to_terminal = logging.StreamHandler()
    to_terminal.setLevel(logging.WARNING)
    to_terminal.setFormatter(logging.Formatter("octflow %(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[to_file, to_terminal], force=True)
