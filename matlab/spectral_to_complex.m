function [j1, j2] = spectral_to_complex(spectra, tables)
%SPECTRAL_TO_COMPLEX  Complex depth profiles from spectra.
%   [j1, j2] = spectral_to_complex(spectra, tables)
%   spectra  (K, X, 2, Y) uint16, as from read_spectra
%   tables   struct, as from spectral_tables
%   j1, j2   (Z, X, Y) complex single, shallow first, Z = 1000
%   For every B-line and channel: reverse channel 2; subtract the mean over A-lines of every
%   sample; interpolate onto equidistant wavenumbers; subtract the median over A-lines; multiply
%   by exp(-i phi), phi the dispersion phase, and by the window; Fourier transform; keep the bins
%   24 to 1023; conjugate. A reflector whose fringe is cos(2 z (k - k_max) + p) has the phase +p.
[n_k, n_x, ~, n_y] = size(spectra);
bins = 24 + (1:1000);
j1 = complex(zeros(numel(bins), n_x, n_y, 'single'));
j2 = j1;
for y = 1:n_y
    j1(:, :, y) = profiles(spectra(:, :, 1, y), tables, 1, bins);
    j2(:, :, y) = profiles(spectra(n_k:-1:1, :, 2, y), tables, 2, bins);
end
end

function found = profiles(counts, tables, camera, bins)
counts = single(counts);
counts = counts - mean(counts, 2);
before = tables.before(:, camera);
weight = tables.weight(:, camera);
even = counts(before, :) .* (1 - weight) + counts(before + 1, :) .* weight;
fringes = (even - median(even, 2)) .* tables.phasor(:, camera);
transformed = fft(fringes);
found = conj(transformed(bins, :));
end
