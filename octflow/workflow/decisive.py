"""What decides a product: the values whose change has it made anew, and no others."""

import os
from pathlib import Path
from typing import Any

from octflow.core.settings import Settings
from octflow.io.digest import fast_id
from octflow.stages.register.settings import ABOUT_VOLUMES
from octflow.stages.stack.settings import StackSettings
from octflow.stages.stitch.settings import StitchSettings
from octflow.workflow.backends import functions_id
from octflow.workflow.config import Config

_REFINEMENT: dict[str, Any] = {
    **dict.fromkeys(("link_modalities", "search_px", "min_confidence", "refine_px"), True),
    "gates": {"residual_rms_px", "trusted_links_fraction"},
}
"""Settings of the stage stitch that the coordinates of a mosaic depend on."""
_COORDINATES: dict[str, Any] = {
    **dict.fromkeys(("engine", "force_refresh_coordinates", "template_slices"), True),
    **{name: what for name, what in _REFINEMENT.items() if name != "refine_px"},
}
"""Those that the coordinates of an illumination depend on."""
_PLACING = {
    *("search_px", "rotate", "max_rotation_deg", "band_px"),
    *("deform", "deform_spacing_px"),
}
"""Settings of the stage stack that only matter where a slice is placed on one before."""
_PLACED_BY = _PLACING | {"image", "align", "min_correlation", "deform_max_px"}
"""All that matter there."""
_FIJI = {"fiji": True, "fiji_timeout_s": True}
"""And, where Fiji is to find them, those too."""


def convert_settings(config: Config, pipeline: Path) -> dict[str, Any]:
    """Return the section convert; with the digest of the functions of another backend."""
    digest = functions_id(config.convert.backend, config.matlab, pipeline)
    return config.convert.plain() | {"backend_id": digest}


def process_settings(config: Config, project: Path, pipeline: Path) -> dict[str, Any]:
    """Return the section process; with the digests of what it names.

    That is the surface, where that is a map, and the functions of another backend.
    """
    digest = functions_id(config.process.backend, config.matlab, pipeline)
    plain = config.process.plain() | {"backend_id": digest}
    path = project / str(plain["surface"])
    if path.suffix in {".nii", ".gz"} and path.exists():
        plain["surface_id"] = fast_id(path)
    return plain


def register_settings(config: Config, pipeline: Path) -> dict[str, Any]:
    """Return what decides the fibre axes of slices; what is made from volumes does not.

    With the digest of the functions of another backend.
    """
    plain = config.register_.model_dump(mode="json", exclude=set(ABOUT_VOLUMES))
    digest = functions_id(config.register_.backend, config.matlab, pipeline)
    return plain | {"backend_id": digest}


def register_volumes_settings(config: Config) -> dict[str, Any]:
    """Return what decides registered volumes, which are made by Python."""
    return config.register_.model_dump(mode="json", exclude={"backend", "backend_id"})


def coordinate_settings(stitch: StitchSettings, project: Path, illumination: str) -> dict[str, Any]:
    """Return what the coordinates of an illumination depend on; with the digest of its file.

    How mosaics are blended, and judged, is no part of it: all slices hang on the coordinates.
    """
    wanted = _COORDINATES | (_FIJI if stitch.engine == "fiji" else {})
    plain = stitch.model_dump(mode="json", include=wanted)
    if path := stitch.coordinates.get(illumination):
        plain["coordinates"] = {illumination: path}
        if (project / path).exists():
            plain["coordinates_ids"] = {illumination: fast_id(project / path)}
    return plain


def refine_settings(stitch: StitchSettings) -> dict[str, Any]:
    """Return what the coordinates of a mosaic depend on."""
    return stitch.model_dump(mode="json", include=_REFINEMENT)


def place_settings(stack: StackSettings) -> dict[str, Any]:
    """Return what decides how a slice lies against one before."""
    return stack.model_dump(mode="json", include=_PLACED_BY)


def stack_settings(stack: StackSettings, project: Path) -> dict[str, Any]:
    """Return what decides the stack, besides how its slices lie against each other.

    With the digests of the files that orient it.
    """
    plain = stack.model_dump(mode="json", exclude=_PLACING)
    files = [project / name for name in (stack.reference, stack.reference_transform) if name]
    plain["reference_ids"] = {path.name: fast_id(path) for path in files if path.is_file()}
    return plain


def instrument(settings: Settings, project: Path, pipeline: Path) -> dict[str, Any]:
    """Return the microscope; its files as seen from the project folder.

    What preset and calibration say is in the values, what the dispersion file says in its digest:
    another content is another param.
    """
    plain = settings.plain()
    for name in ("preset", "calibration_file", "dispersion_file"):
        if plain[name]:
            path = pipeline / plain[name]
            # Relative, so that a project that is moved with the file is not made anew.
            plain[name] = os.path.relpath(path, project)
            if name == "dispersion_file":
                plain["dispersion_id"] = fast_id(path) if path.exists() else None
    return plain
