"""Formats x backends x products, each compared with its definition written out slowly."""

import json

import numpy as np
import pytest

from octflow.core.backend import MatlabSettings
from octflow.core.names import tile_name
from octflow.core.record import Product, Tiles
from octflow.io.complex_source import ComplexSource
from octflow.io.complex_tiles import read_complex_lines
from octflow.io.nifti import read_nifti, write_nifti
from octflow.io.raw import read_raw_bytes, spectra_of
from octflow.io.records import read_record
from octflow.simulate.acquisition import Exposure, raw_name, write_raw_tile
from octflow.simulate.presets import preset
from octflow.simulate.spectrometer import dispersion_phase
from octflow.stages.convert.files import convert_batch
from octflow.stages.convert.settings import ConvertSettings
from octflow.stages.process.files import process_batch
from octflow.stages.process.settings import ProcessSettings

import oracle
from flags import write_flag
from octave import FUNCTIONS, needs_octave, octave

FORMATS = {
    "spectral": ("spectral",),
    "spectral_12bit": ("spectral_12bit",),
    "interleaved": ("interleaved",),
    "complex": ("complex",),
    "complex_with_spectral": ("complex", "spectral"),
    "processed_with_spectral": ("processed", "spectral"),
}
"""What is delivered of a tile: the first kind is used, a second one archived."""
MODES = ("keep", "temporary", "none")
BACKENDS = [*(f"python {mode}" for mode in MODES), pytest.param("octave", marks=needs_octave)]
BOUNDS = {
    "complex": (1e-5, "of max"),
    "dBI": (1e-3, "dB"),
    "R3D": (1e-2, "deg"),
    "O3D": (1e-2, "deg"),
    "aip": (1e-4, "of max"),
    "mip": (1e-4, "of max"),
    "ret": (1e-4, "of max"),
    "ori": (1e-4, "of 90 deg"),
    "biref": (1e-4, "of max"),
    "surf": (5e-3, "of A-lines"),
}
CELLS = [
    (raw_format, name)
    for raw_format in FORMATS
    for name in BOUNDS
    if (raw_format, name) != ("processed_with_spectral", "complex")
]
N_X, N_Y = 32, 24
LANE, N_LANES = 1, 3
"""Which A-lines of an interleaved file are the tile's."""
TILE = Exposure(1, 1, 1)
VOXEL_MM = (0.01, 0.01, 0.0025)
SETTINGS = ProcessSettings(surface="find", birefringence="slope")


@pytest.fixture(scope="module")
def simulation(tmp_path_factory):
    """One small tile, and an instrument that knows the dispersion."""
    tiny = preset("tiny")
    phases = tmp_path_factory.mktemp("instrument") / "dispersion.dat"
    dispersion_phase(np.arange(2048.0), tiny.dispersion_rad).tofile(phases)
    row, *others = tiny.experiment.illuminations
    small = row.model_copy(update={"tile_size_x_px": N_X, "tile_size_y_px": N_Y})
    experiment = tiny.experiment.model_copy(update={"illuminations": (small, *others)})
    instrument = tiny.instrument.model_copy(update={"dispersion_file": str(phases)})
    return tiny.model_copy(update={"experiment": experiment, "instrument": instrument})


@pytest.fixture(scope="module")
def raw(simulation, tmp_path_factory):
    """Raw files of the tile, by kind; volumes by modality."""
    folder = tmp_path_factory.mktemp("raw")
    paths = {}
    for kind in ("spectral", "spectral_12bit", "complex"):
        this = simulation.model_copy(update={"raw_kind": kind})
        paths[kind] = folder / raw_name(this, TILE)
        write_raw_tile(this, TILE, paths[kind])
    paths["interleaved"] = folder / "interleaved" / paths["spectral"].name
    write_interleaved(paths["spectral"], paths["interleaved"])
    volumes = oracle.volumes_of(defined_jones(paths["spectral"], "spectral", simulation.instrument))
    paths["processed"] = {name: folder / tile_name(1, 1, name) for name in volumes}
    for name, volume in volumes.items():
        write_nifti(paths["processed"][name], volume.astype(np.float32), voxel_size_mm=VOXEL_MM)
    return paths


def write_interleaved(source, target):
    """Put the A-lines of a file between those of two others, which hold something else."""
    content = source.read_bytes()
    lines = np.frombuffer(content[352:], "<u2").reshape(N_Y, 2, N_X, 2048)
    lanes = np.stack([lines[::-1], lines, lines[:, :, ::-1] // 2], axis=3)
    target.parent.mkdir()
    target.write_bytes(content[:352] + lanes.astype("<u2").tobytes())


@pytest.fixture(scope="module")
def expected(simulation, raw):
    """Return what the definitions make of the file that is used."""
    known = {}

    def of(raw_format):
        # What lies between the A-lines of a tile must not matter.
        kind = {"interleaved": "spectral"}.get(raw_format, FORMATS[raw_format][0])
        if kind not in known:
            known[kind] = defined(raw, kind, simulation.instrument)
        return known[kind]

    return of


def defined(raw, kind, instrument):
    if kind == "processed":
        volumes = {name: np.array(read_nifti(path)) for name, path in raw[kind].items()}
        return oracle.maps_and_volumes({name: v.astype(float) for name, v in volumes.items()})
    return oracle.products_of(defined_jones(raw[kind], kind, instrument))


def defined_jones(path, kind, instrument):
    if kind == "complex":
        return stored_jones(path)
    phase_rad = np.fromfile(instrument.dispersion_file)
    spectra = spectra_of(read_raw_bytes(path), kind, N_X, N_Y)
    return oracle.jones_of(spectra, instrument.cameras, phase_rad)


@pytest.fixture(scope="module")
def found(simulation, raw, tmp_path_factory):
    """Return what a backend makes of a delivery: arrays by product, and ids of the files."""
    known = {}

    def of(raw_format, backend):
        if (raw_format, backend) not in known:
            files = [raw[kind] for kind in FORMATS[raw_format]]
            folder = tmp_path_factory.mktemp("made")
            program, _, mode = backend.partition(" ")
            by_hand = program == "octave" and FORMATS[raw_format][0] == "processed"
            run = run_by_hand if by_hand else run_stages
            asked = {"backend": program, "complex": mode if mode in MODES else "keep"}
            settings = ProcessSettings() if mode == "as set" else SETTINGS
            known[raw_format, backend] = run(simulation, raw_format, files, folder, asked, settings)
        return known[raw_format, backend]

    return of


def listed(path, role):
    stat = path.stat()
    stat_id = f"stat:{stat.st_size}-{stat.st_mtime_ns}"
    return Product(id=stat_id, path=str(path), bytes=stat.st_size, role=role, tile=1)


def run_stages(simulation, raw_format, files, folder, asked, chosen):
    """Run the stages as the workflow does."""
    row, delivery = simulation.experiment.illuminations[0], raw_format
    if raw_format == "interleaved":
        row = row.model_copy(update={"lane": LANE, "n_lanes": N_LANES})
        delivery = "spectral"
    common = {"illumination": row, "instrument": simulation.instrument}
    unit = {"slice": 1, "mosaic": 1, "batch": 1, "illumination": "normal"}
    started = write_flag(
        folder / "started",
        "start_batch",
        inputs=delivered(*files),
        tiles=Tiles(ok=[1]),
        parameters={"acquisition": {"format": delivery}},
        unit=unit,
    )
    settings = ConvertSettings(**asked)
    run = common | {"matlab": MatlabSettings(folder=str(FUNCTIONS)), "threads": 1}
    told = convert_batch(started=started, folder=folder / "complex", settings=settings, **run)
    converted = write_flag(
        folder / "converted",
        "convert_batch",
        parameters={"settings": settings.plain()},
        unit=unit,
        **told.model_dump(exclude={"gates"}),
    )
    jones = {} if raw_format == "processed_with_spectral" else jones_offered(converted, common)
    outcome = process_batch(
        converted=converted,
        folder=folder / "processed",
        overview=folder / "batch-001.jpg",
        settings=chosen.model_copy(update={"backend": asked["backend"]}),
        **run,
    )
    ids = {p.role: p.id for p in outcome.outputs if p.tile is not None}
    return jones | read_products(folder / "processed"), ids


def delivered(used, *archived):
    """List the file, or the volumes, that are used, and the spectra that are archived."""
    files = used.items() if isinstance(used, dict) else [("raw", used)]
    there = [listed(path, role) for role, path in files]
    return there + [listed(path, "archive") for path in archived]


def jones_offered(converted, common):
    """Return the complex tile that process is offered, from file or from memory."""
    source = ComplexSource(read_record(converted), **common)
    (job,) = source.jobs
    return {"complex": joined(source.open(job).lines())}


def stored_jones(path):
    return joined(read_complex_lines(path, N_X, N_Y))


def joined(lines):
    return np.concatenate([jones.copy() for _, jones in lines], axis=2)


def run_by_hand(simulation, raw_format, files, folder, asked, chosen):
    """Run `process_tile` on a job file: Octave completes no delivered volumes in the workflow."""
    used = files[0]
    job = {
        "input": {name: str(path) for name, path in used.items()},
        "kind": FORMATS[raw_format][0],
        "n_x": N_X,
        "n_y": N_Y,
        "instrument": simulation.instrument.plain(),
        "window": "none",
        "settings": chosen.plain(),
        "folder": str(folder),
        "name": "mosaic_001_image_0001",
    }
    (folder / "job.json").write_text(json.dumps(job))
    octave(f"process_tile('{folder / 'job.json'}')")
    delivered = {name: np.array(read_nifti(path)) for name, path in used.items()}
    return delivered | read_products(folder), {}


def read_products(folder):
    paths = {name: folder / tile_name(1, 1, name) for name in BOUNDS if name != "complex"}
    return {name: np.array(read_nifti(path)) for name, path in paths.items() if path.exists()}


def axis_distance(first, second):
    return np.abs((first - second + 90) % 180 - 90)


def difference(name, made, defined):
    """Return the largest difference of a product, in the unit of its bound."""
    # A thousandth of a sample: a refined surface has fractions.
    same_surface = np.abs(made["surf"] - defined["surf"]) < 1e-3
    if name == "surf":
        return 1 - np.mean(same_surface)
    if name in {"dBI", "R3D", "O3D"}:
        where = above_noise(defined, both=name == "O3D")
        distance = axis_distance if name == "O3D" else lambda a, b: np.abs(a - b)
        return distance(made[name], defined[name])[where].max()
    # Another surface is another window, and is counted as a surface.
    where = same_surface if made[name].ndim == 2 else ...
    if name == "ori":
        # Where axes point everywhere, the mean axis is any.
        where &= defined["accord"] > 0.3
        return axis_distance(made[name], defined[name])[where].max() / 90
    return np.abs(made[name] - defined[name])[where].max() / np.abs(defined[name]).max()


def above_noise(defined, *, both):
    """Where the light, or that in both channels, is above the mean of the deepest samples."""
    if "complex" not in defined:
        return ...
    power = np.abs(defined["complex"]) ** 2
    noise = power[:, -100:].mean(axis=(1, 2, 3), keepdims=True)
    return (power > noise).all(axis=0) if both else power.sum(axis=0) > noise.sum()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("raw_format", "name"), CELLS)
def test_a_product_is_what_its_definition_says(
    raw_format, backend, name, found, expected, record_property
):
    bound, unit = BOUNDS[name]
    made, _ = found(raw_format, backend)
    largest = float(difference(name, made, expected(raw_format)))
    record_property("parity", (raw_format, backend, name, largest, bound, unit))
    assert largest <= bound


@needs_octave
@pytest.mark.parametrize(("raw_format", "name"), CELLS)
def test_octave_and_python_agree(raw_format, name, found, expected, record_property):
    bound, unit = BOUNDS[name]
    (python, _), (octave, _) = (found(raw_format, b) for b in ("python keep", "octave"))
    # Where light is above the noise, and axes agree, the definition says.
    largest = float(difference(name, octave, {**expected(raw_format), **python}))
    cell = (raw_format, "octave - python", name, largest, bound, unit)
    record_property("parity", cell)
    assert largest <= bound


@needs_octave
@pytest.mark.parametrize("name", sorted(set(BOUNDS) - {"complex"}))
def test_they_agree_as_they_are_set(name, found, expected, record_property):
    bound, unit = BOUNDS[name]
    python, octave = (found("spectral", f"{program} as set")[0] for program in ("python", "octave"))
    largest = float(difference(name, octave, {**expected("spectral"), **python}))
    record_property("parity", ("as set", "octave - python", name, largest, bound, unit))
    assert largest <= bound


@pytest.mark.parametrize("raw_format", FORMATS)
def test_the_modes_of_complex_tiles_give_the_same_bytes(raw_format, found):
    kept, temporary, never = (found(raw_format, f"python {mode}")[1] for mode in MODES)
    assert set(kept) >= set(BOUNDS) - {"complex"}
    assert kept == temporary == never


def test_the_formats_of_the_same_spectra_give_the_same_bytes(found):
    ids = [found(f, "python keep")[1] for f in ("spectral", "spectral_12bit", "interleaved")]
    assert ids[0] == ids[1] == ids[2]
