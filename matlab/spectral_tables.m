function tables = spectral_tables(cameras, phase_rad, window)
%SPECTRAL_TABLES  What all spectra of an instrument are reconstructed with.
%   tables = spectral_tables(cameras, phase_rad, window)
%   cameras    (2, 1) struct with slope_nm and offset_nm: the wavelength of camera pixel p,
%              counted from 1, is slope_nm * p + offset_nm
%   phase_rad  (K, 2) double, dispersion phase of both cameras, as from read_dispersion
%   window     'none' or 'hann' (periodic, 1 in the middle)
%   tables     struct: before (K, 2), weight (K, 2) single, phasor (K, 2) complex single
%   The interpolated sample m of camera c is (1 - weight) * s(before) + weight * s(before + 1).
%   Wavenumbers fall in K equal steps from the largest to the smallest that both cameras see.
n_k = size(phase_rad, 1);
ends_nm = [[cameras.slope_nm] + [cameras.offset_nm]; ...
    [cameras.slope_nm] * n_k + [cameras.offset_nm]];
wavenumber = linspace(2 * pi / max(ends_nm(1, :)), 2 * pi / min(ends_nm(2, :)), n_k).';
pixel = (2 * pi ./ wavenumber - [cameras.offset_nm]) ./ [cameras.slope_nm];
tables.before = min(max(floor(pixel), 1), n_k - 1);
tables.weight = single(min(max(pixel - tables.before, 0), 1));
tables.phasor = single(taper(window, n_k) .* exp(-1i * phase_rad));
end

function weights = taper(window, n_k)
switch window
    case 'none'
        weights = ones(n_k, 1);
    case 'hann'
        weights = 0.5 - 0.5 * cos(2 * pi * (0:n_k - 1).' / n_k);
    otherwise
        refuse('window', window, 'none or hann');
end
end
