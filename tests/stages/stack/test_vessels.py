"""Vessels that cross the faces between the slices of a stack, against their known graph."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from octflow.core.instrument import Instrument
from octflow.io.nifti import write_nifti
from octflow.io.omezarr import Plan, read_volume
from octflow.io.records import product
from octflow.io.volume_writer import write_volume
from octflow.simulate.phantom import build_phantom, tissue_at
from octflow.simulate.slice_volumes import Cut, slice_volume
from octflow.simulate.vessels import trunk_positions, vessel_mask
from octflow.simulate.vessels_seen import seen_vessel
from octflow.stages.stack.files import stack_slices
from octflow.stages.stack.motion import Motion
from octflow.stages.stack.settings import StackSettings

from flags import write_flag
from placing import write_placed

SIZE = (240, 270)
CENTRE = ((SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2)
CUT = Cut(thickness_um=200, surface_px=8, n_depth=100, voxel_um=10, voxel_z_um=2.5)
FACE_PX = 80
"""Thickness of a slice in depth samples."""
SKIRT_PX, PLANES = 6, 6
PLACED = {
    1: ((0.0, 0.0), 0.0),
    2: ((7.3, -5.6), 1.4),
    3: ((-6.2, 3.7), -1.1),
    5: ((8.5, 6.2), 1.7),
    6: ((2.1, -4.4), -0.6),
}
TRUTH = {i: Motion(shift, angle, CENTRE) for i, (shift, angle) in PLACED.items()}
SETTINGS = StackSettings(
    maps=("biref",), volumes=("dBI",), search_px=25, top_px=CUT.surface_px, skirt_px=SKIRT_PX,
    chunk_px=(32, 64, 64), shard_px=(64, 256, 256),
)  # fmt: skip


@pytest.fixture(scope="module")
def phantom():
    return build_phantom(
        5, size_px=SIZE, margin_px=15, surface_px=(40, 5), n_slices=6, slice_thickness_um=200,
        voxel_um=10,
    )  # fmt: skip


def write_slice(phantom, folder, slice_id):
    """The birefringence and the volume that a moved slice shows at its own pixels."""
    y, x = np.indices(SIZE, dtype=float)
    there = TRUTH[slice_id].from_slice(x, y)
    shown = tissue_at(phantom, *there, slice_id)
    noise = np.random.default_rng(slice_id).normal(scale=0.2 * np.median(shown.dn), size=SIZE)
    biref = np.where(shown.tissue, shown.dn + noise, np.nan).astype(np.float32)
    volume = slice_volume(phantom, *there, slice_id, CUT, seed=7)
    image, cube = folder / f"s{slice_id}_biref.nii", folder / f"s{slice_id}_dBI.ome.zarr"
    size_mm = (0.01, 0.01, 0.0025)
    write_nifti(image, biref, voxel_size_mm=size_mm)
    plan = Plan(volume.shape, size_mm, "dBI", chunk_px=(32, 64, 64), shard_px=(64, 256, 256))
    write_volume(cube, plan, block_of=lambda *window: volume[window])
    unit = {"slice": slice_id, "mosaic": 2 * slice_id - 1, "illumination": "normal"}
    return (
        write_flag(folder / f"s{slice_id}.st", outputs=[product(image, "biref")], unit=unit),
        write_flag(folder / f"s{slice_id}.v", outputs=[product(cube, "dBI")], unit=unit),
    )


@pytest.fixture(scope="module")
def slices(phantom, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vessels")
    return [write_slice(phantom, folder, i) for i in TRUTH]


def stacked(slices, folder, **changes):
    """The stacked volume (Z, Y, X) and the frame position of its first pixel."""
    stitched, volumes = (list(flags) for flags in zip(*slices, strict=True))
    settings = SETTINGS.model_copy(update=changes)
    outcome = stack_slices(
        stitched=stitched, volumes=volumes, registered=[], overview=folder / "sheet.jpg",
        placed=write_placed(dict(zip(TRUTH, stitched, strict=True)), folder, settings),
        folder=folder, reference="normal", slice_thickness_um=200, instrument=Instrument(),
        settings=settings, threads=1,
    )  # fmt: skip
    paths = {p.role: Path(p.path) for p in outcome.outputs}
    origin = json.loads(paths["placement"].read_text())["origin_px"]
    return np.asarray(read_volume(paths["stack_dBI"])[:, :, :]), origin


def graph_alone(phantom, shape, origin):
    """The graph on the voxels of the stack: 1 dB darker inside, nothing else."""
    x, y = np.arange(shape[2]) + origin[0], np.arange(shape[1]) + origin[1]
    x_um, y_um = np.meshgrid(x * CUT.voxel_um, y * CUT.voxel_um)
    z_um = np.arange(shape[0]) * CUT.voxel_z_um
    return -np.moveaxis(vessel_mask(phantom.vessels, x_um, y_um, z_um), -1, 0).astype(np.float32)


def seen_at(phantom, volume, origin, trunk, first):
    """A trunk in the planes from one on."""

    def position_px(z):
        at = trunk_positions(phantom.vessels, z * CUT.voxel_z_um)[trunk] / CUT.voxel_um
        return float(at[0] - origin[0]), float(at[1] - origin[1])

    radius = phantom.vessels.radius_um.max() / CUT.voxel_um
    return seen_vessel(volume, range(first, first + PLANES), position_px, radius)


def faces(phantom, stack):
    """Both trunks right above and right below every face, also across the missing slice.

    Their places are those against where the same planes of the graph show them: branches that
    leave nearby draw both alike.
    """
    volume, origin = stack
    graph = graph_alone(phantom, volume.shape, origin)

    def against_graph(trunk, first):
        seen, expected = (seen_at(phantom, v, origin, trunk, first) for v in (volume, graph))
        return replace(seen, off_px=tuple(np.subtract(seen.off_px, expected.off_px)))

    return [
        (
            against_graph(trunk, upper * FACE_PX - PLANES),
            against_graph(trunk, (lower - 1) * FACE_PX + SKIRT_PX),
        )
        for upper, lower in pairwise(sorted(TRUTH))
        for trunk in (0, 1)
    ]


def jumps_px(phantom, stack):
    return np.array([above.jump_px(below) for above, below in faces(phantom, stack)])


@pytest.fixture(scope="module")
def stack(slices, tmp_path_factory):
    return stacked(slices, tmp_path_factory.mktemp("stack"))


def test_vessels_continue_across_faces(phantom, stack):
    jumps = jumps_px(phantom, stack)
    assert np.sqrt(np.mean(jumps**2)) <= 1
    assert jumps.max() < 1.5


def test_vessels_are_dark_on_both_sides_of_every_face(phantom, stack):
    contrasts = [side.contrast_db for pair in faces(phantom, stack) for side in pair]
    assert max(contrasts) < -6


def test_vessels_lie_where_the_graph_has_them(phantom, stack):
    off = [side.off_px for pair in faces(phantom, stack) for side in pair]
    assert np.sqrt(np.mean(np.square(off).sum(axis=1))) <= 1


def test_vessels_jump_where_slices_are_not_placed(phantom, slices, tmp_path):
    jumps = jumps_px(phantom, stacked(slices, tmp_path, align=False))
    assert np.sqrt(np.mean(jumps**2)) > 5
