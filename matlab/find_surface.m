function [surface_px, step_db] = find_surface(intensity_db)
%FIND_SURFACE  The steepest rise of intensity along every A-line.
%   [surface_px, step_db] = find_surface(intensity_db)
%   intensity_db  (Z, X, Y) single, shallow first
%   surface_px    (X, Y) single, index of the first sample of the tissue, counted from 0
%   step_db       (X, Y) single, the rise there
%   The A-line is smoothed with a Gaussian (sigma 5 px, 21 taps, ends repeated); g(j) is the mean
%   of the 5 samples from j + 5 minus the mean of the 5 samples from j; the surface is 5 + the
%   first maximum of g.
[~, n_x, n_y] = size(intensity_db);
surface_px = zeros(n_x, n_y, 'single');
step_db = surface_px;
gaussian = exp(-0.5 * ((-10:10) / 5) .^ 2);
% One filter of 30 taps; a convolution turns it round, so the later samples come first.
taps = single(conv(gaussian / sum(gaussian), [ones(1, 5), -ones(1, 5)] / 5).');
for y = 1:n_y
    lines = intensity_db(:, :, y);
    padded = [lines(ones(1, 10), :); lines; lines(end * ones(1, 10), :)];
    [step_db(:, y), index] = max(conv2(padded, taps, 'valid'), [], 1);
    surface_px(:, y) = index - 1 + 5;
end
end
