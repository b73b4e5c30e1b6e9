"""What benchmarks measure beside our functions computes the same."""

from octave import FUNCTIONS, needs_octave, octave_value

pytestmark = needs_octave


def test_the_plain_reconstruction_of_the_benchmark_is_the_same():
    plain = FUNCTIONS.parent / "benchmarks" / "plain"
    cameras = "struct('slope_nm', {0.159377, 0.159057}.', 'offset_nm', {1146.436, 1146.579}.')"
    before = (
        f"addpath('{plain}'); c = {cameras}; s = uint16(4095 * rand(2048, 6, 2, 2)); "
        "[a, b] = spectral_to_complex(s, spectral_tables(c, zeros(2048, 2), 'none')); "
        "[p, q] = spectral_to_complex_plain(s, c); d = abs([a(:) - p(:); b(:) - q(:)])"
    )
    assert octave_value("double(max(d) / max(abs(p(:))))", before=before) < 1e-6


LOOPS = {
    "spectral_to_complex": (2, "s, t"),
    "complex_to_volumes": (3, "j, k, struct('phase_offset_deg', 100, 'flip_phase', false)"),
    "find_surface": (1, "i"),
    "enface_maps": (1, "i, r, a, start, stop"),
    "birefringence": (1, "r, start, stop, 1.3, 2.5"),
    "fit_rotation": (2, "i, r, a, start, stop, o"),
}
"""The functions with a loop over A-lines in benchmarks/per_line: results, arguments."""
TISSUE = """
s = uint16(4095 * rand(2048, 5, 2, 3));
c = struct('slope_nm', {0.159377, 0.159057}.', 'offset_nm', {1146.436, 1146.579}.');
t = spectral_tables(c, rand(2048, 2), 'hann');
j = complex(single(randn(300, 5, 3)), single(randn(300, 5, 3))); k = 2i * j(end:-1:1, :, :);
i = single(50 + 20 * ((1:300).' > 100) + randn(300, 5, 3));
d = max((1:300).' - 100, 0) .* (0.5 + reshape(1:15, 1, 5, 3) / 5) + randn(300, 5, 3);
r = single(90 - abs(mod(d, 180) - 90)); a = single(20 - 90 * (mod(d, 180) > 90));
start = 100 + floor(5 * rand(5, 3)); stop = start + 60;
o = struct('enface_offset_px', 0, 'max_delta_n', 6e-3, 'wavelength_um', 1.3, 'voxel_z_um', 2.5);
"""
COMPARED = """
p = cell(1, {n}); q = p; [p{{:}}] = {step}({given}); [q{{:}}] = {step}_per_line({given});
if isstruct(p{{1}}), p = struct2cell(orderfields(p{{1}})); q = struct2cell(orderfields(q{{1}})); end
for m = 1:numel(p)
    all_off(end + 1) = double(max(abs(p{{m}}(:) - q{{m}}(:))) / max(abs(q{{m}}(:))));
end
"""


def test_the_loops_of_the_benchmark_compute_the_same():
    each = "".join(COMPARED.format(n=n, step=step, given=said) for step, (n, said) in LOOPS.items())
    folder = FUNCTIONS.parent / "benchmarks" / "per_line"
    before = f"addpath('{folder}'); all_off = []; {TISSUE} {each.rstrip()}"
    off = octave_value("all_off", before=before)
    assert len(off) == 13
    assert max(off) < 2e-6
