"""What stage stack tells of the places of its slices."""

import json
from collections.abc import Sequence

from octflow.core.record import Product
from octflow.io.atomic import replacing
from octflow.io.records import product
from octflow.stages.stack.frame import Stack
from octflow.stages.stack.step_files import plain_place, plain_step
from octflow.stages.stack.steps import Step


def write_placement(stack: Stack, steps: Sequence[Step], *, voxel_z_mm: float) -> Product:
    """Write where every slice lies, and where the stack does, as JSON."""
    path = stack.path("placement.json")
    content = {
        "motions": "what lies at p (x, y) in the frame of the first slice lies in the slice at "
        "q = R (p - centre) + centre + shift, R = [[cos, -sin], [sin, cos]] of the angle",
        "origin_px": stack.canvas.origin_px,
        "affines": "voxel indices (x, y, z, 1) to mm",
        "affine_of_maps": stack.affine.tolist(),
        "affine_of_volumes": stack.affine_of_volumes(voxel_z_mm).tolist(),
        "in_the_space_of_a_reference": stack.to_reference is not None,
        "displacements": "added to p before, where a slice has one: along x and along y at nodes, "
        "the first at first_px; between them by cubic convolution (Keys 1981)",
        "slices": {str(i): plain_place(stack.places[i]) for i in sorted(stack.places)},
        "missing": [i for i in stack.slices if i not in stack.places],
        "steps": [plain_step(step) for step in steps],
    }
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n")
    return product(path, "placement")
