function refined_px = find_refined_surface(intensity_db, surface_px)
%FIND_REFINED_SURFACE  Where the intensity reaches half its level at the surface.
%   refined_px = find_refined_surface(intensity_db, surface_px)
%   intensity_db  (Z, X, Y) single, shallow first
%   surface_px    (X, Y) single, from find_surface, counted from 0
%   refined_px    (X, Y) single, with fractions of a sample. The linear intensity from 8 samples
%                 above the 3 x 3 median of the surface to 9 below it is averaged over 5 x 5
%                 A-lines, borders repeated; the half level of noise (first 3 samples) and tissue
%                 (last 8) is sought going up from 2 samples below the surface. Without such a
%                 level the median surface stays.
[n_z, n_x, n_y] = size(intensity_db);
above = 8;
smooth_px = smooth_surface(surface_px);
first = round_half_even(double(smooth_px)) - above;
depth = first(:).' + (0:above + 9).';
depth = min(max(depth, 0), n_z - 1);
profiles = 10 .^ (intensity_db(depth + 1 + n_z * (0:n_x * n_y - 1)) / 10);
profiles = around(reshape(double(profiles), [], n_x, n_y));
noise = mean(profiles(1:3, :, :), 1);
tissue = mean(profiles(above + 3:end, :, :), 1);
crossing = crossing_above(profiles, (noise + tissue) / 2, above + 2);
% Scatterers of the first sample fill half a sample above it.
refined_px = first + reshape(crossing, n_x, n_y) + 0.5;
lost = isnan(refined_px);
refined_px(lost) = smooth_px(lost);
refined_px = single(min(max(refined_px, 0), n_z - 1));
end

function averaged = around(profiles)
x = [1, 1, 1:size(profiles, 2), size(profiles, 2), size(profiles, 2)];
y = [1, 1, 1:size(profiles, 3), size(profiles, 3), size(profiles, 3)];
padded = profiles(:, x, y);
along = 0;
averaged = 0;
for k = 0:4
    along = along + padded(:, (1:end - 4) + k, :);
end
for k = 0:4
    averaged = averaged + along(:, :, (1:end - 4) + k) / 25;
end
end

function crossing = crossing_above(profiles, level, first)
% Samples are counted from 0, as depths are.
crossing = nan(size(level));
open = profiles(first + 1, :, :) >= level;
for z = first - 1:-1:0
    upper = profiles(z + 2, :, :);
    lower = profiles(z + 1, :, :);
    here = open & lower < level;
    crossing(here) = z + (level(here) - lower(here)) ./ (upper(here) - lower(here));
    open = open & ~here;
end
end

function rounded = round_half_even(values)
rounded = round(values) - (mod(values, 2) == 0.5);
end
