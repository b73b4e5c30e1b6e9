"""Numbers with a closed form, in Python and in Octave."""

import math
from collections.abc import Callable
from typing import NamedTuple

import nibabel as nib
import numpy as np
import pytest

from octflow.core.spectra.reconstruct import complex_tile, spectral_phasor
from octflow.core.spectra.wavenumber import Resampling, reversed_resampling
from octflow.stages.process.birefringence import birefringence
from octflow.stages.process.contrast import Contrasts, contrasts
from octflow.stages.process.enface import axis_mean_over
from octflow.stages.process.surface import find_surface
from octflow.stages.process.unfolding import fit_rotation
from octflow.stages.register.angles import azimuth_and_inclination
from octflow.stages.register.axis3d import axis_and_birefringence, half_vectors, solve_pair

from octave import needs_octave, octave, octave_value

pytestmark = needs_octave

LIGHT = np.array([np.exp(0.4j), np.exp(-0.2j)], np.complex64).reshape(2, 1, 1, 1)
FLOOR_DB = -69.23690
ONCE = (np.array([[0]]), np.array([[80]]))


class Golden(NamedTuple):
    """A number with a closed form, and who computes it."""

    product: str
    expected: float
    bound: float
    unit: str
    python: Callable[[], float]
    octave: str
    """Statements that end in `found = ...`."""


def volumes_of(jones, which, offset_deg=100, *, flip=False):
    found = contrasts(jones, phase_offset_deg=offset_deg, flip_phase=flip)
    return float(found[which][0, 0, 0])


def volumes_in_octave(jones, which, offset_deg=100, *, flip=False):
    said = f"struct('phase_offset_deg', {offset_deg}, 'flip_phase', {str(flip).lower()})"
    return (
        f"v = cell(1, 3); [v{{:}}] = complex_to_volumes({jones}, {said}); found = v{{{which + 1}}}"
    )


def volume(product, which, expected, bound, *said, light=True, **flip):
    """A voxel in which both channels have the amplitude 1, or 0."""
    unit = "dB" if product == "dBI" else "deg"
    jones = LIGHT * light
    j1, j2 = (f"complex(single({float(light)} * exp({p}i)))" for p in (0.4, -0.2))
    return Golden(
        product,
        expected,
        bound,
        unit,
        lambda: volumes_of(jones, which, *said, **flip),
        volumes_in_octave(f"{j1}, {j2}", which, *said, **flip),
    )


def column(values):
    return np.asarray(values, np.float32)[:, None, None]


def mean_axis(first, second, expected):
    where = np.array([[0]]), np.array([[2]])
    return Golden(
        "ori",
        expected,
        1e-5,
        "deg",
        lambda: float(axis_mean_over(column([first, second]), *where)[0, 0]),
        f"v = single([{first}; {second}]); maps = enface_maps(v, v, v, 0, 2); found = maps.ori",
    )


def slope(values, expected, bound=1e-9):
    """Birefringence of the first samples of a depth step of 2.5 um, at 1.3 um."""
    where = np.array([[0]]), np.array([[len(values)]])
    listed = "; ".join(map(str, values))
    return Golden(
        "biref",
        expected,
        bound,
        "",
        lambda: float(birefringence(column(values), *where, 1.3, 2.5)[0, 0]),
        f"found = birefringence(single([{listed}]), 0, {len(values)}, 1.3, 2.5)",
    )


def folded():
    """Retardance that grows by 3 degrees per sample and folds at 90; its axis is 20 degrees."""
    delta_deg = 3.0 * np.arange(80) % 180
    axis_deg = np.where(delta_deg <= 90, 20.0, -70.0)
    return Contrasts(
        column(0 * axis_deg + 70), column(90 - np.abs(delta_deg - 90)), column(axis_deg)
    )


def rotation(product, field, expected, bound, unit):
    told = {"offset_px": 0, "wavelength_um": 1.3, "voxel_z_um": 2.5, "max_delta_n": 6e-3}
    optics = (
        "struct('enface_offset_px', 0, 'max_delta_n', 6e-3, 'wavelength_um', 1.3, "
        "'voxel_z_um', 2.5)"
    )
    return Golden(
        product,
        expected,
        bound,
        unit,
        lambda: float(fit_rotation(folded(), *ONCE, **told)[field][0, 0]),
        "d = mod(3 * (0:79).', 180); a = single(20 - 90 * (d > 90)); v = cell(1, 2); "
        f"[v{{:}}] = fit_rotation(70 + 0 * a, single(90 - abs(d - 90)), a, 0, 80, {optics}); "
        f"found = v{{{field + 1}}}",
    )


def reflector_in_python(channel):
    """Three A-lines; the first has a fringe of 4 samples that lags the largest wavenumber by 90."""
    counts = np.full((1, 2, 3, 2048), 2048, np.uint16)
    fringe = np.tile([0, 1000, 0, -1000], 512)
    # Channel 2 is stored in reverse.
    counts[0, :, 0] = 2048 + np.stack([fringe, fringe[::-1]])
    at = np.arange(2048)
    table = Resampling(np.minimum(at, 2046), (at == 2047).astype(np.float32))
    tables = table, reversed_resampling(table)
    jones = complex_tile(counts, tables, spectral_phasor(2048))
    return complex(jones[channel, 512 - 24, 0, 0])


REFLECTOR = (
    "s = 2048 * ones(2048, 3, 2, 'uint16'); f = repmat([0; 1000; 0; -1000], 512, 1); "
    "s(:, 1, 1) = 2048 + f; s(:, 1, 2) = 2048 + flipud(f); "
    "t = struct('before', [1:2047, 2047].' * [1, 1], 'weight', "
    "single([zeros(2047, 2); 1, 1]), 'phasor', complex(ones(2048, 2, 'single'))); "
    "j = cell(1, 2); [j{{:}}] = spectral_to_complex(s, t); j = j{{{channel}}}(489, 1); "
    "found = [real(j), imag(j)]"
)


def reflector(channel):
    """Half the samples times the amplitude, and the phase by which the fringe lags."""
    return Golden(
        "complex",
        1024e3j,
        10,
        "of 1.024e6",
        lambda: reflector_in_python(channel),
        REFLECTOR.format(channel=channel + 1),
    )


FOUND = ("azimuth", "inclination", "dn")
FIBRES = {
    # Tilt; azimuth, inclination, birefringence; what either view sees: birefringence and azimuth.
    "a fibre": (-15, (20, 20, 2), (1.766044, 20), (1.979264, 18.848867)),
    "a fibre near y": (-15, (60, 20, 2), (1.766044, 60), (1.912838, 56.318403)),
    "a fibre that rises": (10, (-35, -30, 1), (0.75, -35), (0.863679, -32.309846)),
}


def fibre_in_python(which, tilt_deg, *seen):
    pair = (half_vectors(np.array([b]), np.array([a])) for b, a in seen)
    axis, dn = axis_and_birefringence(solve_pair(*pair, tilt_deg)[0])
    return float([*np.rad2deg(azimuth_and_inclination(axis)), dn][which][0])


def fibre(name, which):
    """Azimuth, inclination or birefringence of a fibre under a straight and a tilted view."""
    tilt_deg, expected, *seen = FIBRES[name]
    dn, deg = (f"cat(3, {one}, {other})" for one, other in zip(*seen, strict=True))
    options = "struct('weights', [1, 1], 'noise', 1e-9, 'share', [])"
    field = ("azimuth_deg", "inclination_deg", "delta_n")[which]
    return Golden(
        FOUND[which],
        expected[which],
        1e-4 if which < 2 else 1e-5,
        "deg" if which < 2 else "",
        lambda: fibre_in_python(which, tilt_deg, *seen),
        f"f = thru_plane({dn}, {deg}, [0, {tilt_deg}], {options}); found = f.{field}",
    )


STEP = [40] * 30 + [70] * 30
GOLDEN = {
    "no light": volume("dBI", 0, FLOOR_DB, 1e-5, light=False),
    "no light has no retardance": volume("R3D", 1, 0, 1e-5, light=False),
    "no light has the axis 0": volume("O3D", 2, 0, 1e-5, light=False),
    "light": volume("dBI", 0, 10 * math.log10(2), 1e-5),
    "as much in both channels": volume("R3D", 1, 45, 1e-5),
    "half the phase between them": volume("O3D", 2, 17.18873, 2e-5, 0),
    "with an offset": volume("O3D", 2, -62.81127, 2e-5, 100),
    "flipped": volume("O3D", 2, -17.18873, 2e-5, 0, flip=True),
    "mean of axes": mean_axis(10, 20, 15),
    "mean across 90 degrees": mean_axis(80, -80, 90),
    "one degree per sample": slope(range(100), 1.3 / 360 / 2.5),
    "two finite samples": slope((1, 2, math.nan), 0),
    "three of four": slope((1, 2, math.nan, 4), 1.3 / 360 / 2.5),
    "three degrees, folded": rotation("biref", 0, 3 * 1.3 / 360 / 2.5, 1e-8, ""),
    "the axis before the fold": rotation("ori", 1, 20, 1e-3, "deg"),
    "a step": Golden(
        "surf",
        30,
        0,
        "px",
        lambda: float(find_surface(column(STEP)).index_px[0, 0]),
        "found = find_surface(single([40 * ones(30, 1); 70 * ones(30, 1)]))",
    ),
    "a reflector": reflector(0),
    "a reflector in channel 2": reflector(1),
    **{f"{FOUND[k]} of {name}": fibre(name, k) for name in FIBRES for k in range(3)},
}


@pytest.fixture(scope="module")
def by_octave():
    """Return all numbers, computed in one go."""
    each = "; ".join(f"{g.octave}; all_found{{{k}}} = double(found)" for k, g in numbered())
    found = octave_value("all_found", before=each)
    return dict(zip(GOLDEN, found, strict=True))


def numbered():
    return list(enumerate(GOLDEN.values(), 1))


@pytest.mark.parametrize("backend", ["python", "octave"])
@pytest.mark.parametrize("name", GOLDEN)
def test_a_number_is_what_its_closed_form_says(name, backend, request, record_property):
    golden = GOLDEN[name]
    if backend == "python":
        found = golden.python()
    else:
        found = request.getfixturevalue("by_octave")[name]
        found = complex(*found) if isinstance(found, list) else found
    difference = abs(found - golden.expected)
    if golden.product in {"O3D", "ori"}:
        difference = abs((found - golden.expected + 90) % 180 - 90)
    cell = ("golden", backend, f"{golden.product}: {name}", difference, golden.bound, golden.unit)
    record_property("parity", cell)
    assert difference <= golden.bound


def test_12bit_samples_are_unpacked():
    bytes_ = "uint8([255 31 0 188 58 18])"
    assert octave_value(f"unpack_12bit({bytes_})") == [4095, 1, 2748, 291]


EXAMPLES = {
    "resample_view(single([0; 1; 2]), single([0; 0; 0]), [1 0 0.25; 0 1 0], 0, [2, 1])": [
        0.25,
        1.25,
    ],
    "diag(view_covariance([0, 30], [1, 1]))": [1, 0.5, 7],
    "solve_axes([1.766044, 1.979264], [20, 18.848867], [0, -15], [1, 1], 0)": [
        2**0.5 * np.cos(np.deg2rad(20)) ** 2,
        2**0.5 * np.cos(np.deg2rad(20)) * np.sin(np.deg2rad(20)),
        2**0.5 * np.sin(np.deg2rad(20)),
    ],
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_functions_of_fibre_axes_do_what_their_help_says(example):
    found = np.array(octave_value(f"double({example})")).ravel()
    np.testing.assert_allclose(found, EXAMPLES[example], atol=1e-6)


def test_views_that_determine_an_axis_are_at_least_two_degrees_apart():
    chosen = octave_value("choose_views([0, -15, 1], true(1, 1, 3))")
    assert chosen == [[1, 2, 3], [1, 2], [2, 3]]


def test_the_window_is_periodic_and_1_in_the_middle():
    cameras = "struct('slope_nm', {1, 1}, 'offset_nm', {1000, 1001})"
    tables = f"tables = spectral_tables({cameras}, zeros(4, 2), 'hann')"
    found = octave_value("double(real(tables.phasor))", before=tables)
    assert found == [[0, 0], [0.5, 0.5], [1, 1], [0.5, 0.5]]


def test_the_window_is_clipped_to_the_volume():
    before = "[start, stop] = depth_window([10, 995, 2000], 0, 80, 1000)"
    assert octave_value("[start; stop]", before=before) == [[10, 995, 999], [90, 1000, 1000]]


def test_a_volume_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "it's a volume.nii"
    quoted = str(path).replace("'", "''")
    octave(f"write_nifti('{quoted}', single(reshape(1:60, 3, 4, 5)), [0.01, 0.02, 0.0025])")
    image = nib.load(path)
    np.testing.assert_array_equal(
        np.asarray(image.dataobj), np.arange(1, 61).reshape(3, 4, 5, order="F")
    )
    np.testing.assert_allclose(image.header.get_zooms(), [0.01, 0.02, 0.0025])
    np.testing.assert_allclose(np.diag(image.affine), [0.01, 0.02, 0.0025, 1])


def test_a_complex_tile_is_read_as_it_was_written(tmp_path):
    where = f"'{tmp_path / 'complex.nii'}'"
    made = "j = single(randn(7, 3, 2) + 1i * randn(7, 3, 2)); k = 2i * j"
    both = f"write_complex({where}, j, k, [1, 1, 1]); [a, b] = read_complex({where}, 3, 2)"
    assert octave_value("isequal(a, j) && isequal(b, k)", before=f"{made}; {both}") is True


def test_a_file_of_another_size_is_refused_with_both_numbers(tmp_path):
    (tmp_path / "short.raw").write_bytes(bytes(100))
    with pytest.raises(RuntimeError, match="found 100 bytes, expected 73728 bytes"):
        octave(f"read_spectra('{tmp_path / 'short.raw'}', 'spectral_12bit', 4, 3)")
