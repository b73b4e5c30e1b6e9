from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from octflow.core.record import Code, Executor, Record, Unit
from octflow.io.records import write_record


def write_flag(path, outputs, **unit):
    """A flag that lists some products."""
    record = Record(
        record_id="sha256:" + "0" * 64,
        stage="stitch",
        rule="stitch_enface",
        unit=Unit(project="p", **unit),
        status="succeeded",
        inputs=[],
        outputs=outputs,
        parameters={},
        parameter_hash="",
        code=Code(
            package="octflow", version="0", commit=None, dirty=None, stage_version=1,
            backend="python", environment="",
        ),
        executor=Executor(
            host="h", user="u", pid=1, scheduler="local", scheduler_job=None, pool="stitch",
            threads=1,
        ),
        started_at="",
        ended_at="",
        wall_s=0,
        max_rss_bytes=0,
        attempt=1,
    )  # fmt: skip
    write_record(path, record)
    return path


def structure(n_y=120, n_x=140, seed=0):
    """Smooth structure in dB within a disc, NaN outside."""
    rng = np.random.default_rng(seed)
    texture = gaussian_filter(rng.normal(size=(n_y, n_x)), 4)
    y, x = np.indices((n_y, n_x))
    inside = np.hypot(y - n_y / 2, x - n_x / 2) < 0.42 * n_y
    return np.where(inside, 65 + 3 * texture / texture.std(), np.nan)


def moved(image, shift_px, seed=1, noise=0.5):
    """What lies at p in the picture lies at p + shift in the result; with its own noise."""
    y, x = np.indices(image.shape, dtype=float)
    at = [y - shift_px[1], x - shift_px[0]]
    plain = map_coordinates(image, at, order=1, mode="constant", cval=np.nan)
    return plain + np.random.default_rng(seed).normal(scale=noise, size=image.shape)


@pytest.fixture(scope="session")
def made():
    """The functions of this file."""
    return SimpleNamespace(write_flag=write_flag, structure=structure, moved=moved)
