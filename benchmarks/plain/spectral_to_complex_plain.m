function [j1, j2] = spectral_to_complex_plain(spectra, cameras)
%SPECTRAL_TO_COMPLEX_PLAIN  The definition with interp1, in double precision.
%   [j1, j2] = spectral_to_complex_plain(spectra, cameras)
%   spectra  (K, X, 2, Y) uint16; cameras  (2, 1) struct with slope_nm, offset_nm
%   j1, j2   (1000, X, Y) complex single. No dispersion, no window.
[n_k, n_x, ~, n_y] = size(spectra);
pixel = (1:n_k).';
wavelength = pixel * [cameras.slope_nm] + [cameras.offset_nm];
shortest = max(wavelength(1, :));
longest = min(wavelength(end, :));
wanted = 2 * pi ./ linspace(2 * pi / shortest, 2 * pi / longest, n_k).';
wanted = min(max(wanted, shortest), longest);
phasor = exp(-1i * zeros(n_k, 1));
found = complex(zeros(1000, n_x, n_y, 2, 'single'));
for y = 1:n_y
    for c = 1:2
        counts = double(spectra(:, :, c, y));
        if c == 2
            counts = flipud(counts);
        end
        counts = counts - mean(counts, 2);
        even = interp1(wavelength(:, c), counts, wanted);
        transformed = fft((even - median(even, 2)) .* phasor);
        found(:, :, y, c) = conj(transformed(25:1024, :));
    end
end
j1 = found(:, :, :, 1);
j2 = found(:, :, :, 2);
end
