"""Pictures of the stack."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from octflow.core.record import Product
from octflow.io.nifti_planes import read_plane
from octflow.io.omezarr import read_volume
from octflow.io.picture import Panel, panel_of, write_sheet
from octflow.io.records import product
from octflow.io.shard_reader import Source
from octflow.stages.stack.frame import Stack

_MAX_PLANES_SHOWN = 8


def write_overview(path: Path, stack: Stack, outputs: Sequence[Product]) -> Product:
    """Draw planes of the stacked maps, and cuts through the maps and the volume."""
    paths = {one.role.removeprefix("stack_"): Path(one.path) for one in outputs}
    image = next(role for role in ("aip", *paths) if role in paths)
    panels = [
        panel_of(image, read_plane(paths[image], i, stack.canvas.shape), f"{image}, slice {s}")
        for i, s in enumerate(stack.slices[:_MAX_PLANES_SHOWN])
    ]
    if "dBI" in paths:
        panels += _cuts_of_volume("dBI", read_volume(paths["dBI"]))
    else:
        panels += _cuts_of_maps(image, paths[image], stack)
    write_sheet(path, panels, title=f"{len(stack.places)} slices", across=4)
    return product(path, "overview")


def _cuts_of_volume(modality: str, source: Source) -> list[Panel]:
    """Cut through the middle, along x and along y."""
    n_z, n_y, n_x = source.shape
    every_z, every_y, every_x = slice(0, n_z), slice(0, n_y), slice(0, n_x)
    along_x = np.asarray(source[every_z, slice(n_y // 2, n_y // 2 + 1), every_x])[:, 0]
    along_y = np.asarray(source[every_z, every_y, slice(n_x // 2, n_x // 2 + 1)])[:, :, 0]
    return _cuts(modality, along_x, along_y)


def _cuts_of_maps(modality: str, path: Path, stack: Stack) -> list[Panel]:
    """Do so plane by plane."""
    (n_y, n_x), lines = stack.canvas.shape, []
    for index in range(len(stack.slices)):
        plane = read_plane(path, index, stack.canvas.shape)
        lines.append((plane[n_y // 2].copy(), plane[:, n_x // 2].copy()))
    along_x, along_y = zip(*lines, strict=True)
    return _cuts(modality, np.stack(along_x), np.stack(along_y))


def _cuts(modality: str, along_x: NDArray, along_y: NDArray) -> list[Panel]:
    return [
        panel_of(modality, along_x, f"{modality}: x-z"),
        panel_of(modality, along_y, f"{modality}: y-z"),
    ]
