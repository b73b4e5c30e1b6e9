"""Section `convert` of the configuration."""

from typing import Literal

from pydantic import Field

from octflow.core.backend import BackendName
from octflow.core.settings import Retries, Settings


class ConvertSettings(Settings):
    """How spectra become complex depth profiles."""

    complex: Literal["keep", "temporary", "none"] = "keep"
    """What becomes of complex tiles: kept; removed when their products are written and verified;
    or never written, and reconstructed in memory. The products are the same."""
    window: Literal["none", "hann"] = "none"
    """Taper over the spectrum: hann lowers the side lobes of bright interfaces, blurs depth."""
    full_scale_counts: int = Field(4095, ge=1, le=65535)
    """Camera count from which a sample is saturated."""
    max_saturated_fraction: float = Field(0.001, ge=0, le=1)
    """Share of saturated samples above which a tile carries a warning."""
    backend: BackendName = "python"
    """Who reconstructs: python, octave, matlab, or matlab-engine; section `matlab` says how they
    are run."""
    backend_id: str | None = None
    """Digest of the functions of the others, filled in when it is read."""
    max_failed_tiles: int = Field(5, ge=0)
    """Tiles of a batch that may fail before the batch counts as failed."""
    retries: Retries = Retries()
    """How often a tile is tried again when its failure may pass by itself."""
