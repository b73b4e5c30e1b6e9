"""What a slice, a mosaic, a batch is expected to hold."""

from pathlib import Path
from typing import Any

from octflow.core.record import Product, TileFailure, Tiles


def tiles_of_inventory(inventory: list[dict[str, Any]]) -> tuple[list[Product], Tiles]:
    """Turn the inventory of a batch into products and tile states.

    Parameters
    ----------
    inventory : list of dict
        One entry per expected tile: `tile` and either `path`, `bytes`, `modified_s`, or `files`,
        which holds these three by modality, or `missing`, the reason why there is no file;
        `archive` is a further file, to be archived instead.

    Returns
    -------
    raw : list of Product
        The files there are, identified by size and time of change: their content is read, and
        digested, only once, when they are converted or archived. Their role is "raw", or their
        modality, that of files that are only to be archived "archive".
    tiles : Tiles
        Which tiles are there and which were declared missing.

    Examples
    --------
    >>> raw, tiles = tiles_of_inventory([{"tile": 1, "missing": "stage stuck"}])
    >>> raw, tiles.missing[0].reason
    ([], 'stage stuck')
    """
    there = [entry for entry in inventory if "missing" not in entry]
    raw = [_product(entry["tile"], "raw", entry) for entry in there if "path" in entry]
    raw += [
        _product(entry["tile"], modality, file)
        for entry in there
        for modality, file in entry.get("files", {}).items()
    ]
    raw += [_product(e["tile"], "archive", e["archive"]) for e in there if "archive" in e]
    missing = [
        TileFailure(tile=entry["tile"], reason=entry["missing"], kind="missing")
        for entry in inventory
        if "missing" in entry
    ]
    return raw, Tiles(ok=[entry["tile"] for entry in there], missing=missing)


def _product(tile: int, role: str, file: dict[str, Any]) -> Product:
    return Product(
        id=f"stat:{file['bytes']}-{file['modified_s']}",
        path=str(Path(file["path"])),
        bytes=file["bytes"],
        role=role,
        tile=tile,
    )
