"""`octflow verify`: whether a project still holds what its records say."""

import sys
from pathlib import Path

import click

from octflow.services.verify import checks_of, differences


@click.command("verify")
@click.argument("project", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--archive", is_flag=True, help="Only archived copies: unpack, compare SHA-256.")
@click.option("--products", is_flag=True, help="Only products: sizes against the flags.")
@click.option("--digests", is_flag=True, help="Digests of products too: reads them all.")
@click.option("--uploads", is_flag=True, help="Only what was uploaded: digests in the archive.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Files checked side by side.",
)
def command(
    project: Path, threads: int, *, archive: bool, products: bool, digests: bool, uploads: bool
) -> None:
    """Check the archive and the products of PROJECT; exit 1 where a file differs.

    Every difference is one line that names the file, what was found and what was expected.
    Nothing is changed. What was uploaded is checked only on request: a folder is read anew, a
    server is asked for its digests.

    \b
    Examples:
      octflow verify /data/I46/project
      octflow verify /data/I46/project --archive --threads 8
      octflow verify /data/I46/project --products --digests
      octflow verify /data/I46/project --uploads
    """  # noqa: D301 - \b keeps click from joining the lines
    both = archive == products and not uploads
    checks = checks_of(
        project,
        archive=archive or both,
        products=products or both,
        digests=digests,
        uploads=uploads,
    )
    found = []
    total_bytes = sum(check.weight_bytes for check in checks)
    with click.progressbar(
        length=total_bytes, label="checking", show_eta=True, file=sys.stderr
    ) as bar:
        for check, difference in differences(checks, threads=threads):
            bar.update(check.weight_bytes)
            if difference:
                found.append(difference)
    for line in found:
        click.echo(line)
    if found:
        click.echo(f"{len(found)} of {len(checks)} checks found a difference", err=True)
        sys.exit(1)
    click.echo(f"{len(checks)} checks, no difference")
