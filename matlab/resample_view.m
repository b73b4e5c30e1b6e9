function [seen_dn, seen_deg] = resample_view(delta_n, axis_deg, matrix, turn_deg, shape)
%RESAMPLE_VIEW  Bring the maps of a view onto the pixels of another one.
%   [seen_dn, seen_deg] = resample_view(delta_n, axis_deg, matrix, turn_deg, shape)
%   delta_n   (X, Y) single, apparent birefringence; NaN where the view sees no tissue
%   axis_deg  (X, Y) single, apparent azimuth from +x towards +y, degrees
%   matrix    (2, 3), takes a pixel (x, y, 1) of the other view to a pixel (x, y) of this one; the
%             centres of the first pixels are at 0
%   turn_deg  rotation by the matrix, +x towards +y, which is taken off the azimuth. Its
%             foreshortening turns nothing: the azimuth is that of the projected fibre already
%   shape     (1, 2), size (X, Y) of the other view
%   seen_dn, seen_deg  shape single, the maps on its pixels; NaN where less than half of the weight
%             of the linear interpolation comes from pixels that hold a value. Azimuths travel as
%             doubled angles, weighted by birefringence
%
%   Example: resample_view(single([0; 1; 2]), single([0; 0; 0]), [1 0 0.25; 0 1 0], 0, [2, 1]) is
%   [0.25; 1.25].
valid = isfinite(delta_n) & isfinite(axis_deg);
delta_n(~valid) = 0;
axis_deg(~valid) = 0;
plain = double(delta_n);
dyad = max(plain, 0) .* exp((double(axis_deg) - turn_deg) * (2i * pi / 180));
valid = double(valid);
seen_dn = nan(shape, 'single');
seen_deg = seen_dn;
x = (0:shape(1) - 1).';
for first = 1:128:shape(2)
    lines = first:min(first + 127, shape(2));
    y = lines - 1;
    [from, weight] = neighbours(matrix(1, 1) * x + matrix(1, 2) * y + matrix(1, 3), ...
        matrix(2, 1) * x + matrix(2, 2) * y + matrix(2, 3), size(delta_n));
    share = sampled(valid, from, weight);
    lost = single(share) < 0.5;
    share(lost) = 1;
    dn = single(sampled(plain, from, weight) ./ share);
    doubled = sampled(dyad, from, weight);
    turned = single(atan2(imag(doubled), real(doubled)) * (90 / pi));
    turned(turned <= -90) = 90;
    dn(lost) = NaN;
    turned(lost) = NaN;
    seen_dn(:, lines) = dn;
    seen_deg(:, lines) = turned;
end
end

function [from, weight] = neighbours(x, y, shape)
% The four pixels around each position, and what they weigh: nothing beyond the rim.
inside = x >= 0 & x <= shape(1) - 1 & y >= 0 & y <= shape(2) - 1;
x(~inside) = 0;
y(~inside) = 0;
left = floor(x);
above = floor(y);
right = min(left + 1, shape(1) - 1);
below = min(above + 1, shape(2) - 1);
x = x - left;
y = y - above;
from = {left + shape(1) * above, right + shape(1) * above, ...
    left + shape(1) * below, right + shape(1) * below};
weight = {(1 - x) .* (1 - y), x .* (1 - y), (1 - x) .* y, x .* y};
weight = cellfun(@(one) one .* inside, weight, 'UniformOutput', false);
end

function values = sampled(plane, from, weight)
values = 0;
for k = 1:4
    values = values + weight{k} .* plane(from{k} + 1);
end
end
