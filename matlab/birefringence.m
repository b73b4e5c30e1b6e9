function delta_n = birefringence(retardance_deg, start, stop, wavelength_um, voxel_z_um)
%BIREFRINGENCE  Slope of the optical path difference against depth.
%   delta_n = birefringence(retardance_deg, start, stop, wavelength_um, voxel_z_um)
%   retardance_deg  (Z, X, Y) single, cumulative single-pass retardance, 0 to 90
%   start, stop     (X, Y), as from depth_window
%   wavelength_um, voxel_z_um  centre wavelength and depth step, in the same unit
%   delta_n         (X, Y) single, dimensionless: the least-squares slope of R / 360 * wavelength;
%                   0 where fewer than 3 samples of the window are finite
%
%   Example: 1 degree per sample, 1.3 um, 2.5 um give 1.444444e-03.
[value, inside] = window_samples(retardance_deg, start, stop);
inside = inside & isfinite(value);
value(~inside) = 0;
depth = (0:size(value, 1) - 1).';
n = sum(inside, 1);
depth_sum = sum(depth .* inside, 1);
spread = n .* sum(depth .^ 2 .* inside, 1) - depth_sum .^ 2;
slope = (n .* sum(depth .* value, 1) - depth_sum .* sum(value, 1)) ./ max(spread, 1);
slope(n < 3) = 0;
delta_n = single(reshape(slope * (wavelength_um / 360 / voxel_z_um), size(start)));
end
