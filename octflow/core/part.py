"""A part of the sample, as people name it: to ask for, to mark, to make anew."""

from dataclasses import dataclass

from octflow.core.record import Unit


@dataclass(frozen=True, order=True)
class Part:
    """What all given numbers and names hold for; none given, the project.

    Examples
    --------
    >>> str(Part(mosaic=2, batch=3)), str(Part())
    ('mosaic 2 batch 3', 'project')
    """

    slice: int | None = None
    """Slice id."""
    mosaic: int | None = None
    """Mosaic id."""
    batch: int | None = None
    """Batch id, of the mosaic."""
    illumination: str | None = None
    """Name of the illumination."""

    def __str__(self) -> str:
        """Say it to a person."""
        return " ".join(f"{level} {value}" for level, value in self._given()) or "project"

    def holds(self, unit: Unit) -> bool:
        """Tell whether a unit lies in this part.

        Examples
        --------
        >>> unit = Unit(project="p", slice=1, mosaic=2, batch=3)
        >>> Part(slice=1).holds(unit), Part(mosaic=2, batch=1).holds(unit)
        (True, False)
        """
        return all(getattr(unit, level) == value for level, value in self._given())

    def _given(self) -> list[tuple[str, int | str]]:
        named = {level: getattr(self, level) for level in ("slice", "mosaic", "batch")}
        named["illumination"] = self.illumination
        return [(level, value) for level, value in named.items() if value is not None]
