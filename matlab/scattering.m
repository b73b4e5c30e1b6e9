function mus = scattering(intensity_db, start, stop, voxel_z_mm, noise)
%SCATTERING  Scattering coefficient from the decay of intensity with depth.
%   mus = scattering(intensity_db, start, stop, voxel_z_mm, noise)
%   intensity_db  (Z, X, Y) single
%   start, stop   (X, Y), as from depth_window
%   voxel_z_mm    depth step, mm
%   noise         (Z, 1) mean linear intensity of noise, subtracted from every sample; or 0
%   mus           (X, Y) single, 1/mm: the mean over the window of I / (2 dz sum of I below);
%                 samples below which there is no signal are left out, 0 where all are
[n_z, n_x, n_y] = size(intensity_db);
mus = zeros(n_x, n_y, 'single');
depth = (0:n_z - 1).';
for y = 1:n_y
    intensity = 10 .^ (double(intensity_db(:, :, y)) / 10) - noise;
    below = flipud(cumsum(flipud(intensity), 1)) - intensity;
    used = depth >= start(:, y).' & depth < min(stop(:, y).', n_z - 1) & below > 0;
    below(~used) = 1;
    n = sum(used, 1);
    mus(:, y) = sum(used .* intensity ./ below, 1) ./ (2 * voxel_z_mm * max(n, 1));
end
end
