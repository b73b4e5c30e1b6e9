"""Numbers, times and links as the pages write them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from markupsafe import Markup

from octflow.services.pages.milestones import Throughput

PLOT_PX = (720, 160)
"""Size (x, y) of the plot of the throughput, without its labels."""


def when(at_s: float | None) -> Markup | str:
    """Write a time; the script of the pages shows it in the reader's time zone.

    Examples
    --------
    >>> when(0)
    Markup('<time datetime="1970-01-01T00:00:00Z">1970-01-01 00:00 UTC</time>')
    """
    if at_s is None:
        return "not yet"
    at = datetime.fromtimestamp(at_s, UTC)
    text = '<time datetime="{}Z">{} UTC</time>'
    return Markup(text).format(f"{at:%Y-%m-%dT%H:%M:%S}", f"{at:%Y-%m-%d %H:%M}")


def when_said(at: str) -> Markup | str:
    """Write a time of a record, ISO 8601.

    Examples
    --------
    >>> when_said("1970-01-01T01:00:00+01:00") == when(0)
    True
    """
    return when(datetime.fromisoformat(at).timestamp())


def percent(done: int, expected: int) -> str:
    """Write a part of a whole; 100 only where all of it is done.

    Examples
    --------
    >>> percent(2, 3), percent(999, 1000), percent(5, 5)
    ('67', '99', '100')
    """
    return "100" if done >= expected else f"{min(99, round(100 * done / expected))}"


def hours(number: float | None) -> str:
    """Write how long something takes, as exactly as it can be known.

    Examples
    --------
    >>> hours(0.2), hours(1.25), hours(30), hours(100), hours(0), hours(None)
    ('12 min', '1.2 h', '30 h', '4.2 days', 'nothing left', 'not known yet')
    """
    if number is None:
        return "not known yet"
    if number == 0:
        return "nothing left"
    if number < 1:
        return f"{max(1, round(60 * number))} min"
    if number >= 48:
        return f"{number / 24:.1f} days"
    return f"{number:.1f} h" if number < 10 else f"{number:.0f} h"


def linker(up: str) -> Callable[[str], str]:
    """Return what makes a link of a path in the project.

    Parameters
    ----------
    up : str
        The project folder as seen from the pages.

    Examples
    --------
    >>> linker("..")("logs/a b#1.log")
    '../logs/a%20b%231.log'
    """
    return lambda path: quote(f"{up}/{path}")


@dataclass(frozen=True)
class Bar:
    """A bar of a plot, in its pixels from the upper left."""

    x: float
    y: float
    size_x: float
    size_y: float
    at_s: float
    rate: float


@dataclass(frozen=True)
class Plot:
    """Tiles an hour over time."""

    bars: list[Bar]
    top: float
    """Tiles an hour at the upper edge."""
    labelled: list[Bar]
    """Bars whose time is written below."""


def plot_of(counted: Throughput) -> Plot:
    """Return the bars of the throughput."""
    size_x, size_y = PLOT_PX
    top = _round_above(max(counted.rates))
    step = size_x / len(counted.rates)
    bars = []
    for n, rate in enumerate(counted.rates):
        high = size_y * rate / top
        at_s = counted.start_s + n * counted.step_s
        x, size = round(n * step, 1), round(high, 1)
        bars.append(Bar(x, round(size_y - high, 1), round(0.85 * step, 1), size, at_s, rate))
    every = -(-len(bars) // 4)
    return Plot(bars, top, bars[::every])


def _round_above(number: float) -> float:
    """Return the next round number: 1, 2 or 5 times a power of ten."""
    power = 1.0
    while power * 10 <= number:
        power *= 10
    return next(power * m for m in (1, 2, 5, 10) if power * m >= number)
