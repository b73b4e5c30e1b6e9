"""What is asked of backends: checked before any job runs, and found for it."""

from pathlib import Path

from octflow.core.backend import BackendName, MatlabSettings
from octflow.core.errors import SettingsError
from octflow.core.names import Delivery, used_kind
from octflow.io.digest import content_id, fast_id
from octflow.stages.convert.settings import ConvertSettings
from octflow.stages.process.settings import ProcessSettings
from octflow.stages.register.settings import RegisterSettings

_ENTRY = "run_job.m"


def check_backends(
    delivery: Delivery,
    convert: ConvertSettings,
    process: ProcessSettings,
    register: RegisterSettings,
    matlab: MatlabSettings,
    base: Path,
) -> None:
    """Refuse what a backend other than Python cannot do.

    Parameters
    ----------
    delivery : str
        What the microscope delivers.
    convert, process, register : ConvertSettings, ProcessSettings, RegisterSettings
        Their backends, and what is asked of these.
    matlab : MatlabSettings
        Where the functions are.
    base : Path
        Folder of the Snakefile, where relative paths start.

    Raises
    ------
    SettingsError
        Names the key, what was found and what was expected.
    """
    asked = {
        "convert": convert.backend,
        "process": process.backend,
        "register": register.backend,
    }
    others = {k: f"{k}.backend {name}" for k, name in asked.items() if name != "python"}
    if others:
        _check_folders(located(matlab, base), next(iter(others.values())))
    who = others.get("convert", others.get("process"))
    if who and convert.complex != "keep":
        _refuse("convert.complex", convert.complex, f"keep: {who} needs files")
    if "convert" in others and used_kind(delivery) not in {"spectral", "spectral_12bit"}:
        expected = f"python: of acquisition.format {delivery} nothing is converted"
        _refuse("convert.backend", convert.backend, expected)
    if "process" in others:
        _check_process(delivery, process)
    if "register" in others and register.mode != "closed":
        _refuse("register.mode", register.mode, f"closed, with {others['register']}")


def _check_process(delivery: Delivery, process: ProcessSettings) -> None:
    if used_kind(delivery) == "processed":
        expected = f"python, which completes what acquisition.format {delivery} delivers"
        _refuse("process.backend", process.backend, expected)
    if isinstance(process.surface, str) and process.surface.endswith((".nii", ".gz")):
        expected = f"a rule or an index: process.backend {process.backend} reads no maps"
        _refuse("process.surface", process.surface, expected)


def _check_folders(matlab: MatlabSettings, who: str) -> None:
    if not (Path(matlab.folder) / _ENTRY).is_file():
        _refuse("matlab.folder", f"no {_ENTRY} in {matlab.folder}", f"it there, for {who}")
    if matlab.functions and not Path(matlab.functions).is_dir():
        expected = f"a folder with functions for {who}, or null"
        _refuse("matlab.functions", f"no folder {matlab.functions}", expected)


def _refuse(key: str, found: str, expected: str) -> None:
    raise SettingsError(f"{key}: found {found}, expected {expected}")


def located(matlab: MatlabSettings, base: Path) -> MatlabSettings:
    """Return the settings with absolute paths.

    Examples
    --------
    >>> located(MatlabSettings(), Path("/somewhere")).folder
    '/somewhere/matlab'
    """
    functions = None if matlab.functions is None else str(base / matlab.functions)
    return matlab.model_copy(update={"folder": str(base / matlab.folder), "functions": functions})


def functions_id(backend: BackendName, matlab: MatlabSettings, base: Path) -> str | None:
    """Return the digest of all functions that a backend runs; None for Python.

    Parameters
    ----------
    backend : {"python", "octave", "matlab", "matlab-engine"}
        Backend.
    matlab : MatlabSettings
        Where the functions are. Of ours the .m files count, of the lab's folder everything in it.
    base : Path
        Where relative paths start.
    """
    if backend == "python":
        return None
    where = located(matlab, base)
    ours = {path.name: fast_id(path) for path in Path(where.folder).glob("*.m")}
    return content_id([ours, fast_id(Path(where.functions)) if where.functions else None])
