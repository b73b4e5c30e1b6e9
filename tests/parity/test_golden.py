"""Numbers with a closed form, in Octave."""

import nibabel as nib
import numpy as np
import pytest

from octave import FUNCTIONS, needs_octave, octave, octave_value

pytestmark = needs_octave

SETTINGS = "struct('phase_offset_deg', {offset}, 'flip_phase', {flip})"
JONES = "complex(single(exp(0.4i))), complex(single(exp(-0.2i)))"


def axis_deg(offset, flip="false"):
    chosen = SETTINGS.format(offset=offset, flip=flip)
    return octave_value("double(a)", before=f"[i, r, a] = complex_to_volumes({JONES}, {chosen})")


def test_12bit_samples_are_unpacked():
    bytes_ = "uint8([255 31 0 188 58 18])"
    assert octave_value(f"unpack_12bit({bytes_})") == [4095, 1, 2748, 291]


def test_no_light_has_the_floor_of_intensity_and_the_axis_0():
    chosen = SETTINGS.format(offset=100, flip="false")
    before = f"z = complex(single(0)); [i, r, a] = complex_to_volumes(z, z, {chosen})"
    found = octave_value("double([i, r, a])", before=before)
    np.testing.assert_allclose(found, [-69.23690, 0, 0], atol=1e-5)


@pytest.mark.parametrize(
    ("offset", "flip", "expected"),
    [(0, "false", 17.18873), (100, "false", -62.81127), (0, "true", -17.18873)],
)
def test_the_axis_is_half_the_phase_between_the_channels(offset, flip, expected):
    assert axis_deg(offset, flip) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize(("axes", "mean"), [((10, 20), 15), ((80, -80), 90)])
def test_axes_are_averaged_as_axes(axes, mean):
    volume = f"single([{axes[0]}; {axes[1]}])"
    before = f"v = {volume}; maps = enface_maps(v, v, v, 0, 2)"
    assert octave_value("maps.ori", before=before) == pytest.approx(mean, abs=1e-5)


def test_one_degree_per_sample_is_this_birefringence():
    fitted = octave_value("double(birefringence(single((0:99).'), 0, 100, 1.3, 2.5))")
    assert fitted == pytest.approx(1.444444e-3, abs=1e-9)


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


def test_fewer_than_three_finite_samples_have_no_birefringence():
    line = "single([1; 2; NaN; 4; 5])"
    both = f"double([birefringence({line}, 0, 3, 1.3, 2.5), birefringence({line}, 0, 4, 1.3, 2.5)])"
    assert octave_value(both) == pytest.approx([0, 1.3 / 360 / 2.5], abs=1e-9)


def test_the_window_is_periodic_and_1_in_the_middle():
    cameras = "struct('slope_nm', {1, 1}, 'offset_nm', {1000, 1001})"
    tables = f"tables = spectral_tables({cameras}, zeros(4, 2), 'hann')"
    found = octave_value("double(real(tables.phasor))", before=tables)
    assert found == [[0, 0], [0.5, 0.5], [1, 1], [0.5, 0.5]]


def test_a_step_is_found_at_its_first_sample():
    line = "single([40 * ones(30, 1); 70 * ones(30, 1)])"
    assert octave_value(f"find_surface({line})") == 30


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


def test_the_plain_reconstruction_of_the_benchmark_is_the_same():
    plain = FUNCTIONS.parent / "benchmarks" / "plain"
    cameras = "struct('slope_nm', {0.159377, 0.159057}.', 'offset_nm', {1146.436, 1146.579}.')"
    before = (
        f"addpath('{plain}'); c = {cameras}; s = uint16(4095 * rand(2048, 6, 2, 2)); "
        "[a, b] = spectral_to_complex(s, spectral_tables(c, zeros(2048, 2), 'none')); "
        "[p, q] = spectral_to_complex_plain(s, c); d = abs([a(:) - p(:); b(:) - q(:)])"
    )
    assert octave_value("double(max(d) / max(abs(p(:))))", before=before) < 1e-6
