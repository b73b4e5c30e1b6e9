"""`octflow setup`: make the profiles known by name."""

import os
from pathlib import Path

import click

import octflow

PROFILES = ("demo", "zircon", "zircon-ssh", "slurm")


@click.command("setup")
def command() -> None:
    """Link the profiles of this repository into your Snakemake configuration folder.

    Snakemake looks for `--profile NAME` in the working directory and in
    ~/.config/snakemake, not in the folder profiles/ of a repository. A profile of your own
    with the same name is left alone.
    """
    source = Path(octflow.__file__).parents[1] / "profiles"
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "snakemake"
    home.mkdir(parents=True, exist_ok=True)
    for name in PROFILES:
        click.echo(link_profile(source / name, home / name))


def link_profile(source: Path, link: Path) -> str:
    """Link one profile; say what was done."""
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        return f"{link}: kept, it is not a link; use --profile {source}"
    link.symlink_to(source)
    return f"{link} -> {source}"
