"""`octflow replay`: have a region made anew."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from octflow.cli.parts import part_of, part_options
from octflow.core.part import Part
from octflow.services.project import session_of
from octflow.services.replay import Replay, carry_out, replay_from, replay_of
from octflow.services.replay_text import lines_of
from octflow.workflow.session import Session


@click.command("replay")
@click.argument(
    "config", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@part_options
@click.option(
    "--illumination", metavar="NAME", help="An illumination: coordinates, focus, mosaics."
)
@click.option("--all", "everything", is_flag=True, help="The whole project.")
@click.option("--from", "since", metavar="STAGE", help="Stage, or rule, to begin at.")
@click.option(
    "--stale", is_flag=True, help="In place of part and stage: what `status --stale` says."
)
@click.option("--yes", is_flag=True, help="Do it; otherwise it is only shown.")
@click.option("--reason", help="Why; kept with the flags. Needed with --yes.")
@click.option("--force", is_flag=True, help="Even where files that would be read are gone.")
@click.option("--json", "as_json", is_flag=True, help="What would be done, as JSON.")
def command(
    config: Path | None,
    slice_id: int | None,
    mosaic: int | None,
    batch: Part | None,
    illumination: str | None,
    since: str | None,
    reason: str | None,
    **switches: bool,
) -> None:
    """Have a part of the project of CONFIG made anew from a stage on, with all that follows.

    Shows the flags that would be set aside, and why. With --yes they are moved to
    lineage/retired/, those downstream first; the next Snakemake run, or the watcher, then makes
    exactly these jobs again. Products stay until they are replaced. May be done while the
    watcher runs; not while a Snakemake runs that was started by hand.

    \b
    Examples:
      octflow replay --mosaic 3 --from stitch /data/I46/config.yaml
      octflow replay --batch 3/2 --from process --yes --reason "disk error" /data/I46/config.yaml
      octflow replay --illumination tilted --from find_tilemap /data/I46/config.yaml
      octflow replay --all --from stack /data/I46/config.yaml
      octflow replay --stale /data/I46/config.yaml
    """  # noqa: D301 - \b keeps click from joining the lines
    if switches["yes"] and not reason:
        raise click.UsageError("found --yes without --reason, expected why")
    session = session_of(config)
    if switches["stale"]:
        _refuse(slice_id, mosaic, batch, illumination, since, switches["everything"] or None)
        plan = replay_from(session, _stale(session, config))
    else:
        named = None if illumination is None else Part(illumination=illumination)
        whole = {"all": Part() if switches["everything"] else None}
        part = part_of(slice_id, mosaic, batch, illumination=named, **whole)
        if since is None:
            raise click.UsageError("found no --from, expected a stage or a rule")
        plan = replay_of(session, part, since)
    _show(plan, as_json=switches["as_json"], done=switches["yes"])
    if switches["yes"] and plan.retirees:
        folder = carry_out(session, plan, reason=reason or "", force=switches["force"])
        click.echo(f"set aside in {folder}", err=switches["as_json"])


def _refuse(*others: object) -> None:
    if any(other is not None for other in others):
        raise click.UsageError("found --stale with a part or --from, expected it alone")


def _stale(session: Session, config: Path | None) -> list[str]:
    from octflow.services.stale import staleness_of  # Loads Snakemake, which takes a while.
    from octflow.workflow.params import Rules

    return [one.flag for one in staleness_of(session, Rules(config)).stale]


def _show(plan: Replay, *, as_json: bool, done: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(plan)))
    else:
        click.echo("\n".join(lines_of(plan, done=done)))
