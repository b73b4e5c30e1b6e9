"""Read records (flags) and the products they list."""

import json
from collections.abc import Collection
from pathlib import Path

from pydantic import ValidationError

from octflow.core.errors import DataError
from octflow.core.record import Product, Record
from octflow.io.atomic import replacing
from octflow.io.digest import fast_id, size_bytes


def product(path: Path, role: str, tile: int | None = None) -> Product:
    """Describe a file just written: digest, path, size.

    Parameters
    ----------
    path : Path
        File or folder.
    role : str
        What it is, such as a modality.
    tile : int, optional
        Tile it belongs to.
    """
    return Product(id=fast_id(path), path=str(path), bytes=size_bytes(path), role=role, tile=tile)


def read_record(path: Path) -> Record:
    """Read a flag.

    Raises
    ------
    DataError
        The file is not a record.
    """
    try:
        return Record.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(path, found=f"{where}: {first['msg']}", expected="a record") from error


def write_record(path: Path, record: Record) -> None:
    """Write a record whole, by temporary file and rename."""
    with replacing(path) as part:
        part.write_text(json.dumps(record.model_dump(mode="json"), indent=1) + "\n")


def listed(record: Record, role: str) -> list[Product]:
    """Return the outputs of a record that have a role, tiles ascending."""
    found = [p for p in record.outputs if p.role == role]
    return sorted(found, key=lambda p: p.tile or 0)


def checked(listed_product: Product, *, digest: bool = False) -> Path:
    """Return the path of a product after comparing the file with what the record says.

    Parameters
    ----------
    listed_product : Product
        As listed in a flag.
    digest : bool
        Compare the digest too, which reads the whole file; otherwise only the size.

    Raises
    ------
    DataError
        The file is gone, has another size or other content than was recorded.
    """
    path = Path(listed_product.path)
    if not path.exists():
        raise DataError(path, found="no file", expected=f"{listed_product.bytes} bytes")
    if (found := size_bytes(path)) != listed_product.bytes:
        raise DataError(path, found=f"{found} bytes", expected=f"{listed_product.bytes} bytes")
    if digest and (found_id := fast_id(path)) != listed_product.id:
        raise DataError(path, found=found_id, expected=listed_product.id)
    return path


def tile_products(
    flags: list[Path], role: str, among: Collection[int]
) -> tuple[dict[int, Path], dict[int, str]]:
    """Collect one product of every tile from the flags of a mosaic's batches.

    Parameters
    ----------
    flags : list of Path
        Records of `process_batch`.
    role : str
        Modality.
    among : collection of int
        Tiles that are asked for.

    Returns
    -------
    paths : dict of int to Path
        Tile id to file; tiles without the product are left out, they become holes. Each file was
        compared in size with its record.
    damaged : dict of int to str
        Tiles whose file is gone or has another size, and what was found and expected.
    """
    paths, damaged = {}, {}
    for one in (p for flag in flags for p in listed(read_record(flag), role)):
        if one.tile is None or one.tile not in among:
            continue
        try:
            paths[one.tile] = checked(one)
        except DataError as error:
            damaged[one.tile] = str(error)
    return paths, damaged
