function [mean_dn, mean_deg, share] = average_alike(delta_n, axis_deg, weights, noise, radii_px)
%AVERAGE_ALIKE  Average pixels with neighbours that all views see alike.
%   [mean_dn, mean_deg, share] = average_alike(delta_n, axis_deg, weights, noise, radii_px)
%   delta_n, axis_deg  (X, Y, V), as for thru_plane
%   weights            (1, V), as for solve_axes
%   noise              standard deviation of a component of p = sqrt(B) (cos phi, sin phi)
%   radii_px           radii of the steps, growing
%   mean_dn, mean_deg  (X, Y, V) single, the same averaged
%   share              (X, Y) single, part of its variance that is left of a pixel
%   Propagation and separation (Polzehl and Spokoiny 2006): in every step a neighbour at the
%   distance d counts by (1 - d^2 / r^2) (1 - D^2 / (150 noise^2 share)), not below 0; D^2 is the
%   squared distance of p between the averages of the step before, of either sign, weighted over
%   the views. Averaged are dyads B exp(2i phi); pixels that other views see are never mixed.
[n_x, n_y, n_views] = size(delta_n);
mean_dn = nan(n_x, n_y, n_views, 'single');
mean_deg = mean_dn;
share = zeros(n_x, n_y, 'single');
reaches = ceil(radii_px(:).');
halo = sum(reaches);
% Squares that the memory next to the processor holds, and around each all that its averages need.
for first_y = 1:128:n_y
    for first_x = 1:128:n_x
        x = first_x:min(first_x + 127, n_x);
        y = first_y:min(first_y + 127, n_y);
        [dyads, code] = surroundings(delta_n, axis_deg, x, y, halo);
        averages = dyads;
        left = ones(size(code));
        for k = 1:numel(reaches)
            [averages, left] = averaged(dyads, averages, left, code, weights / mean(weights), ...
                noise, radii_px(k), sum(reaches(1:k)));
        end
        doubled = averages(halo + (1:numel(x)), halo + (1:numel(y)), :);
        doubled(~isfinite(delta_n(x, y, :))) = NaN;
        half_deg = single(atan2(imag(doubled), real(doubled)) * (90 / pi));
        half_deg(half_deg <= -90) = 90;
        mean_dn(x, y, :) = abs(doubled);
        mean_deg(x, y, :) = half_deg;
        share(x, y) = left(halo + (1:numel(x)), halo + (1:numel(y)));
    end
end
end

function [dyads, code] = surroundings(delta_n, axis_deg, x, y, halo)
% Dyads, and a number for which views see a pixel: NaN beyond the rim.
[n_x, n_y, n_views] = size(delta_n);
x = x(1) - halo:x(end) + halo;
y = y(1) - halo:y(end) + halo;
delta_n = delta_n(min(max(x, 1), n_x), min(max(y, 1), n_y), :);
axis_deg = axis_deg(min(max(x, 1), n_x), min(max(y, 1), n_y), :);
seen = isfinite(delta_n);
delta_n(~seen) = 0;
axis_deg(~seen) = 0;
dyads = double(max(delta_n, 0)) .* exp(double(axis_deg) * (2i * pi / 180));
code = sum(seen .* reshape(2 .^ (0:n_views - 1), 1, 1, []), 3);
code(x < 1 | x > n_x, :) = NaN;
code(:, y < 1 | y > n_y) = NaN;
end

function [averages, left] = averaged(dyads, averages, left, code, weights, noise, radius_px, edge)
% One step for all pixels but those at the edge, neighbour by neighbour.
n_views = numel(weights);
x = edge + 1:size(code, 1) - edge;
y = edge + 1:size(code, 2) - edge;
half_length = 0;
for v = n_views:-1:1
    half = sqrt(weights(v) * averages(:, :, v));
    along{v} = real(half);
    across{v} = imag(half);
    along_here{v} = along{v}(x, y);
    across_here{v} = across{v}(x, y);
    half_length = half_length + (along{v} .^ 2 + across{v} .^ 2) / 2;
    cosine{v} = real(dyads(:, :, v));
    sine{v} = imag(dyads(:, :, v));
    cosines{v} = 0;
    sines{v} = 0;
end
tightness = 2 ./ (max(150 * noise ^ 2, 1e-30) * left(x, y));
alike = 1 - half_length(x, y) .* tightness;
code_here = code(x, y);
mixed = any(code(:) ~= code(1));
total = 0;
squares = 0;
for dy = -ceil(radius_px):ceil(radius_px)
    for dx = -ceil(radius_px):ceil(radius_px)
        near = 1 - (dx ^ 2 + dy ^ 2) / radius_px ^ 2;
        if near <= 1e-6
            continue
        end
        same = 0;
        for v = 1:n_views
            same = same + abs(along_here{v} .* along{v}(x + dx, y + dy) ...
                + across_here{v} .* across{v}(x + dx, y + dy));
        end
        weight = near * max(alike + (same - half_length(x + dx, y + dy)) .* tightness, 0);
        if mixed
            weight = weight .* (code_here == code(x + dx, y + dy));
        end
        for v = 1:n_views
            cosines{v} = cosines{v} + weight .* cosine{v}(x + dx, y + dy);
            sines{v} = sines{v} + weight .* sine{v}(x + dx, y + dy);
        end
        total = total + weight;
        squares = squares + weight .^ 2;
    end
end
beyond = total == 0;
total(beyond) = 1;
squares(beyond) = 1;
for v = 1:n_views
    averages(x, y, v) = complex(cosines{v} ./ total, sines{v} ./ total);
end
left(x, y) = squares ./ total .^ 2;
end
