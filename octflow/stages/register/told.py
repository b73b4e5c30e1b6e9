"""What the record of a slice tells of its registration."""

import numpy as np

from octflow.core.experiment import Illumination
from octflow.stages.register.fibres import View
from octflow.stages.register.placing import Placed
from octflow.stages.register.solved import Solved

Qc = dict[str, float | int | str | None]


def qc_of(solved: Solved, placed: list[Placed]) -> Qc:
    """Return the quality of the affines, and of the fibres where there are any.

    Parameters
    ----------
    solved : Solved
        Views and fibres.
    placed : list of Placed
        The views that are not fixed.
    """
    fixed, field = solved.views[0], solved.field
    qc: Qc = {"fixed": fixed.name}
    for one in placed:
        name = one.view.name
        qc |= {
            f"{name}_mutual_information_nats": one.alignment.mutual_information,
            f"{name}_determinant": one.shape.determinant,
            f"{name}_rotation_deg": one.shape.rotation_deg,
            f"{name}_stretch_fraction": one.shape.stretch_fraction,
            f"{name}_overlap_fraction": one.overlap_fraction,
            f"{name}_residual_px": one.numbers.get("residual_px"),
            f"{name}_recognised_fraction": one.numbers.get("recognised_fraction"),
        }
    if field is not None:
        uncertainty_deg = field.uncertainty_deg[field.valid]
        qc["valid_fraction"] = float(field.valid.sum() / max(fixed.valid.sum(), 1))
        qc["noise_root_dn"] = field.noise
        qc["median_uncertainty_deg"] = (
            float(np.median(uncertainty_deg)) if uncertainty_deg.size else None
        )
        if solved.averaged_pixels is not None:
            qc["averaged_pixels"] = solved.averaged_pixels
    return qc


def warnings_of(
    slice_id: int, table: list[Illumination], usable: list[View], placed: list[Placed]
) -> list[str]:
    """Say which illuminations are missing, and of which the registration is in doubt.

    Parameters
    ----------
    slice_id : int
        Slice, from 1.
    table : list of Illumination
        Those that there should be.
    usable : list of View
        Those that see tissue.
    placed : list of Placed
        All of them but the fixed one.
    """
    names = [view.name for view in usable]
    lost = [row.name for row in table if row.name not in names]
    warnings = [f"slice {slice_id}: no tissue seen under {name}" for name in lost]
    if not usable:
        warnings.append(f"slice {slice_id}: no tissue in any view, so no fibre axes")
    if len(usable) == 1:
        warnings.append(f"slice {slice_id}: only {names[0]} is usable, so no 3-D axis")
    warnings += [
        f"slice {slice_id}: {gate.name}: found {gate.value}, bound {gate.bound}"
        for one in placed
        for gate in one.gates
        if gate.verdict != "pass"
    ]
    return warnings + [
        f"slice {slice_id}: registration of {one.view.name} was not believed, the guess from its"
        " tilt was used"
        for one in placed
        if not one.trusted
    ]
