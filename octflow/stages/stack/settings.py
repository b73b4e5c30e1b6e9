"""What a user can choose in stage stack."""

from typing import Annotated, Literal

from pydantic import Field

from octflow.core.settings import Settings

Px = Annotated[int, Field(ge=1)]
COMPARED = 3
"""Slices before that one is compared with, the nearest first, until one agrees."""


class StackSettings(Settings):
    """How slices are laid on each other and blended."""

    maps: tuple[str, ...] = ("aip", "mip", "ret", "ori", "biref")
    """Maps of the reference illumination that are stacked, one plane per slice."""
    volumes: tuple[str, ...] = ("dBI",)
    """Volumes of the reference illumination that are joined to one, where they exist."""
    slices: Literal["all"] | tuple[Annotated[int, Field(ge=1)], ...] = "all"
    """Slices that are stacked; the others are gaps."""
    image: Literal["biref", "aip", "mip", "ret"] = "biref"
    """Map that places a slice on the one before."""
    align: bool = True
    """Whether slices are placed by their maps; else they lie where the stage put them."""
    placement: Literal["subpixel", "rounded"] = "subpixel"
    """Whether slices are shifted by fractions of a pixel or by whole ones; angles stay."""
    search_px: int = Field(20, ge=1, le=1000)
    """Largest shift between one slice and the next, along x and along y, at the centre."""
    rotate: bool = True
    """Whether slices are turned too; else they are only shifted."""
    max_rotation_deg: float = Field(5.0, gt=0, le=45)
    """Largest angle between one slice and the next."""
    band_px: tuple[float, float] = (2.0, 10.0)
    """Gaussian sigmas between which structure is compared: speckle goes, outlines stay."""
    min_correlation: float = Field(0.3, ge=-1, le=1)
    """Correlation below which a motion is not believed; the slice then follows the one before."""
    deform: bool = False
    """Whether a slice is bent gently, too, to fit the one before."""
    deform_spacing_px: int = Field(40, ge=16, le=1000)
    """Distance of the nodes between which slices are bent: smoother with larger ones."""
    deform_max_px: float = Field(10.0, gt=0, le=100)
    """Longest displacement."""
    deform_fade: float = Field(0.8, ge=0, le=1)
    """Share of what it takes to fit the one before: 1 straightens every oblique course."""
    equalise: tuple[Literal["dBI", "aip", "mip"], ...] = ("dBI", "aip", "mip")
    """Stacked maps and volumes whose slices are made alike in brightness; no others ever are."""
    equalise_fade: float = Field(0.9, ge=0, le=1)
    """Share of what it takes to be as bright as the one before: 1 makes all like the first."""
    equalise_max_db: float = Field(3.0, gt=0, le=20)
    """Largest offset."""
    top_px: int = Field(30, ge=0)
    """Depth in a stitched volume at which its slab begins: medium shows above deeper surfaces."""
    skirt_px: int = Field(20, ge=0)
    """Depth over which a slice is blended into the next one."""
    reference: str | None = None
    """NIfTI file in whose space the stack is put, by the affine in its headers; relative to the
    project folder."""
    reference_transform: str = "centre"
    """centre: the centre of the stack lies on that of the reference. Or a file with the matrix
    that takes the stack, in mm, to the reference: four lines of four numbers, or ITK's."""
    reference_ids: dict[str, str] = Field({})
    """Digests of these files, filled in when they are read: another content is another file."""
    canvas_step_px: int = Field(64, ge=1)
    """The sides of the canvas lie at multiples of this: while a slice more does not widen it, what
    is there is kept."""
    chunk_px: tuple[Px, Px, Px] = (64, 64, 64)
    """Voxels (z, y, x) compressed together."""
    shard_px: tuple[Px, Px, Px] = (256, 256, 256)
    """Voxels (z, y, x) in one file, whole chunks."""
