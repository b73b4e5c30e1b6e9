"""Rigid motions of slices in their plane."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Pair = tuple[float, float]


@dataclass(frozen=True)
class Motion:
    """How one slice lies against another: q = R(angle) (p - centre) + centre + shift.

    What lies at pixel p in the frame lies at pixel q in the slice. A direction turns likewise:
    azimuth phi in the frame is azimuth phi + angle in the slice.

    Examples
    --------
    >>> quarter = Motion(shift_px=(1.0, 0.0), angle_deg=90.0, centre_px=(2.0, 2.0))
    >>> [float(round(c, 9)) for c in quarter.at(np.array(3.0), np.array(2.0))]
    [3.0, 3.0]
    """

    shift_px: Pair = (0.0, 0.0)
    """(x, y): how far the centre lies from where it was."""
    angle_deg: float = 0.0
    """From +x towards +y."""
    centre_px: Pair = (0.0, 0.0)
    """(x, y) in the frame: the point that the angle turns about."""

    def at(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return where in the slice points (x, y) of the frame lie, in px."""
        by_x, by_y = _turned_by(x - self.centre_px[0], y - self.centre_px[1], self.angle_deg)
        return x + by_x + self.shift_px[0], y + by_y + self.shift_px[1]

    def from_slice(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return where in the frame points (x, y) of the slice lie, in px."""
        x, y = x - self.shift_px[0], y - self.shift_px[1]
        by_x, by_y = _turned_by(x - self.centre_px[0], y - self.centre_px[1], -self.angle_deg)
        return x + by_x, y + by_y

    def then(self, other: "Motion") -> "Motion":
        """Return this motion followed by another one, about the centre of this one.

        Examples
        --------
        >>> Motion((0.5, 1.0)).then(Motion((0.25, -3.0)))
        Motion(shift_px=(0.75, -2.0), angle_deg=0.0, centre_px=(0.0, 0.0))
        """
        dx = self.shift_px[0] + self.centre_px[0] - other.centre_px[0]
        dy = self.shift_px[1] + self.centre_px[1] - other.centre_px[1]
        by_x, by_y = _turned_by(np.asarray(dx), np.asarray(dy), other.angle_deg)
        shift = (
            float(self.shift_px[0] + by_x + other.shift_px[0]),
            float(self.shift_px[1] + by_y + other.shift_px[1]),
        )
        return Motion(shift, self.angle_deg + other.angle_deg, self.centre_px)

    def reduced(self, factor: float) -> "Motion":
        """Return the same for pictures whose pixels are larger by a factor.

        The first pixel of the reduced picture covers the first `factor` pixels of the full one.
        """
        x, y = ((c + 0.5) / factor - 0.5 for c in self.centre_px)
        return Motion(
            (self.shift_px[0] / factor, self.shift_px[1] / factor), self.angle_deg, (x, y)
        )

    def rounded(self) -> "Motion":
        """Return the motion with a shift of whole pixels; the angle stays."""
        x, y = (float(np.rint(c)) + 0.0 for c in self.shift_px)
        return Motion((x, y), self.angle_deg, self.centre_px)


def turned(x: Floats, y: Floats, angle_deg: float | Floats) -> tuple[Floats, Floats]:
    """Return vectors (x, y) turned from +x towards +y, by one angle or each by its own.

    Examples
    --------
    >>> [float(round(c, 9)) for c in turned(np.array(1.0), np.array(0.0), 90)]
    [0.0, 1.0]
    """
    by_x, by_y = _turned_by(x, y, angle_deg)
    return x + by_x, y + by_y


def _turned_by(x: Floats, y: Floats, angle_deg: float | Floats) -> tuple[Floats, Floats]:
    """Return what turning adds to vectors: nothing at all where the angle is 0."""
    angle = np.deg2rad(angle_deg)
    less, sine = -2 * np.sin(angle / 2) ** 2, np.sin(angle)
    if np.ndim(angle_deg) == 0:
        # Numbers of Python, so that vectors of single precision stay such.
        less, sine = less.item(), sine.item()
    return less * x - sine * y, sine * x + less * y
