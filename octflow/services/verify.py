"""Check again what a project holds: archived copies, products, uploads, against their records."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from octflow.core.errors import DataError, OctflowError
from octflow.core.layout import FLAGS
from octflow.core.record import Product, Record
from octflow.io.archive import content_digest
from octflow.io.records import checked, listed, read_record
from octflow.services.verify_uploads import Uploads


@dataclass(frozen=True)
class Check:
    """One file to be checked."""

    path: Path
    weight_bytes: int
    """What is to be read for it, for the estimate of the time left; never 0."""
    run: Callable[[], None]
    """Raises OctflowError where the file is not what its record says."""


def flags_of(project: Path) -> list[Path]:
    """Return every flag of a project, in the order of the rules."""
    patterns = [re.sub(r"\{[^}]*\}", "*", pattern) for pattern in FLAGS.values()]
    return [path for pattern in patterns for path in sorted(project.glob(pattern))]


def checks_of(
    project: Path,
    *,
    archive: bool = True,
    products: bool = True,
    digests: bool = False,
    uploads: bool = False,
) -> list[Check]:
    """List what is to be checked; nothing but flags is read.

    Parameters
    ----------
    project : Path
        Project folder.
    archive : bool
        Unpack every archived copy and compare its SHA-256 with that of the raw file.
    products : bool
        Compare the size of every product listed in a flag.
    digests : bool
        Compare the digests of the products too, which reads them all.
    uploads : bool
        Compare what archives hold with the flags of the uploads: a folder is read, a server asked.

    Raises
    ------
    DataError
        The folder has no flag: it is no project, whose check would find nothing wrong.
    """
    checks: list[Check] = []
    archives = Uploads()
    flags = flags_of(project)
    if not flags:
        raise DataError(project, found="no flag", expected="the folder of a project")
    for flag in flags:
        try:
            record = read_record(flag)
        except DataError as error:
            checks.append(Check(flag, 1, partial(_raise, error)))
            continue
        if archive and record.rule == "archive_batch":
            checks += _archive_checks(project, record)
        if uploads:
            found = archives.checks(record)
            checks += [Check(Path(one.path), max(1, one.bytes), run) for one, run in found]
        if products:
            checks += _product_checks(project, record, digests=digests)
    return checks


def differences(checks: list[Check], *, threads: int = 1) -> Iterator[tuple[Check, str | None]]:
    """Run the checks, `threads` side by side.

    Yields
    ------
    check, difference : Check, str or None
        In the order of the checks. The difference is one line: file, found, expected.
    """
    with ThreadPoolExecutor(max_workers=threads) as pool:
        yield from zip(checks, pool.map(_difference, checks), strict=True)


def _difference(check: Check) -> str | None:
    try:
        check.run()
    except OctflowError as error:
        return str(error)
    except OSError as error:
        found = (error.strerror or str(error)).lower()
        return str(DataError(check.path, found=found, expected="a file that can be read"))
    return None


def _archive_checks(project: Path, record: Record) -> Iterator[Check]:
    raw_ids = {p.tile: p.id for p in record.inputs if p.id.startswith("sha256:")}
    copies = listed(record, "archived")
    for copy in copies:
        path = project / copy.path
        yield Check(path, copy.bytes, partial(_check_copy, path, raw_ids.get(copy.tile)))
    sums = {Path(p.path).name.removesuffix(".gz"): raw_ids.get(p.tile) for p in copies}
    for file in listed(record, "checksums"):
        path = project / file.path
        yield Check(path, 1, partial(_check_sums, path, sums))


def _check_copy(path: Path, raw_id: str | None) -> None:
    if not path.exists():
        raise DataError(path, found="no file", expected="an archived copy")
    if (found := f"sha256:{content_digest(path)}") != raw_id:
        raise DataError(path, found=f"content {found}", expected=str(raw_id))


def _check_sums(path: Path, expected: dict[str, str | None]) -> None:
    """Compare a checksum file, lines `digest  name`, with the record."""
    if not path.exists():
        raise DataError(path, found="no file", expected="a checksum file")
    lines = (line.split("  ", 1) for line in path.read_text(errors="replace").splitlines())
    found = {parts[-1]: f"sha256:{parts[0]}" for parts in lines}
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            line = found.get(name, "no line")
            raise DataError(path, found=f"{line} for {name}", expected=str(expected.get(name)))


def _product_checks(project: Path, record: Record, *, digests: bool) -> Iterator[Check]:
    for product in record.outputs:
        if _is_temporary(record, product) and not (project / product.path).exists():
            continue
        placed = product.model_copy(update={"path": str(project / product.path)})
        weight_bytes = max(1, product.bytes if digests else 1)
        yield Check(Path(placed.path), weight_bytes, partial(_check_product, placed, digests))


def _is_temporary(record: Record, product: Product) -> bool:
    """Say whether a product is removed once it has been used."""
    settings = record.parameters.get("settings") or {}
    return product.role == "complex" and settings.get("complex") == "temporary"


def _check_product(product: Product, digests: bool) -> None:
    checked(product, digest=digests)


def _raise(error: DataError) -> None:
    raise error
