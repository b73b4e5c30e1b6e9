"""Options that name a part of the sample."""

from collections.abc import Callable
from typing import Any

import click

from octflow.core.part import Part


class BatchName(click.ParamType):
    """Mosaic and number of a batch, such as 3/2."""

    name = "M/B"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - as click has it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Part:
        """Read mosaic and batch, such as 3/2."""
        numbers = str(value).split("/")
        if len(numbers) != 2 or not all(number.isdigit() for number in numbers):
            self.fail(f"found {value}, expected MOSAIC/BATCH such as 3/2", param, ctx)
        return Part(mosaic=int(numbers[0]), batch=int(numbers[1]))


_OPTIONS = (
    click.option("--slice", "slice_id", type=click.IntRange(min=1), help="A slice, and all in it."),
    click.option("--mosaic", type=click.IntRange(min=1), help="A mosaic, and its batches."),
    click.option("--batch", type=BatchName(), help="A batch: its mosaic and number, such as 3/2."),
)


def part_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options --slice, --mosaic and --batch; `part_of` reads them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def part_of(slice_id: int | None, mosaic: int | None, batch: Part | None, **more: Any) -> Part:  # noqa: ANN401
    """Return the one part that was named.

    Parameters
    ----------
    slice_id, mosaic : int, optional
        Values of the options.
    batch : Part, optional
        Value of the option.
    **more
        Other parts by the name of their option, or None.

    Raises
    ------
    click.UsageError
        None was named, or several.
    """
    named = {
        "--slice": None if slice_id is None else Part(slice=slice_id),
        "--mosaic": None if mosaic is None else Part(mosaic=mosaic),
        "--batch": batch,
        **{f"--{name}": part for name, part in more.items()},
    }
    given = [part for part in named.values() if part is not None]
    if len(given) != 1:
        raise click.UsageError(f"found {len(given)} of {', '.join(named)}, expected one")
    return given[0]
