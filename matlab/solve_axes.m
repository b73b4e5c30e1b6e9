function [w, cost] = solve_axes(delta_n, axis_deg, tilt_deg, weights, tolerance)
%SOLVE_AXES  Fibres from what tilted views see of them.
%   [w, cost] = solve_axes(delta_n, axis_deg, tilt_deg, weights, tolerance)
%   delta_n    (N, V), apparent birefringence of N pixels under V views; below 0 it counts as 0
%   axis_deg   (N, V), apparent azimuth from +x towards +y, degrees
%   tilt_deg   (1, V), tilts of the beams about y
%   weights    (1, V), inverse variances of the views, up to a factor
%   tolerance  (N, 1) or scalar: signs whose costs differ by less are told apart by the size of w;
%              0 trusts the signs
%   w          (N, 3) double, root of birefringence times axis (x, y, z), z deeper, x not negative
%   cost       (N, 1) double, weighted sum of squared residuals, 2 V - 3 degrees of freedom
%   A view sees the projection p = sqrt(B) (cos phi, sin phi) of w, of either sign, because the
%   apparent birefringence B falls with the squared sine of the angle between beam and fibre. A
%   straight view 1 and one tilted by g, of equal weight, have a closed form, with s the sign of
%   p1y p2y: w = (p1x, (p1y + s p2y) / 2, (cos g p1x - s p2x) / sin g). Otherwise least squares over
%   w and all signs.
%
%   Example: solve_axes([1.766044, 1.979264], [20, 18.848867], [0, -15], [1, 1], 0) is
%   sqrt(2) * [0.8830, 0.3214, 0.3420]: azimuth and inclination 20 degrees, birefringence 2.
root = sqrt(max(double(delta_n), 0));
angle_rad = double(axis_deg) * (pi / 180);
x = root .* cos(angle_rad);
y = root .* sin(angle_rad);
if numel(tilt_deg) == 2 && tilt_deg(1) == 0 && weights(1) == weights(2)
    [w, cost] = straight_pair(x, y, tilt_deg(2), tolerance);
else
    [w, cost] = least_squares(x, y, tilt_deg, weights / mean(weights), tolerance);
end
end

function [w, cost] = straight_pair(x, y, tilt_deg, tolerance)
deciding = y(:, 1) .* y(:, 2);
% The depth component is smaller where the projections on x have the same sign.
hidden = 2 * abs(deciding) < tolerance;
deciding(hidden) = x(hidden, 1) .* x(hidden, 2);
flip = 1 - 2 * (deciding < 0);
w = [x(:, 1), (y(:, 1) + flip .* y(:, 2)) / 2, ...
    (cosd(tilt_deg) * x(:, 1) - flip .* x(:, 2)) / sind(tilt_deg)];
cost = (y(:, 1) - flip .* y(:, 2)) .^ 2 / 2;
end

function [w, cost] = least_squares(x, y, tilt_deg, weights, tolerance)
n_views = numel(tilt_deg);
n_signs = 2 ^ (n_views - 1);
design = zeros(2 * n_views, 3);
design(1:2:end, [1, 3]) = sqrt(weights(:)) .* [cosd(tilt_deg(:)), -sind(tilt_deg(:))];
design(2:2:end, 2) = sqrt(weights(:));
inverse = pinv(design);
every = zeros(size(x, 1), 3, n_signs);
costs = zeros(size(x, 1), n_signs);
for k = 1:n_signs
    signed = sqrt(weights(:).') .* [1, 1 - 2 * bitget(k - 1, n_views - 1:-1:1)];
    seen_x = x .* signed;
    seen_y = y .* signed;
    found = [seen_x * inverse(1, 1:2:end).', seen_y * inverse(2, 2:2:end).', ...
        seen_x * inverse(3, 1:2:end).'];
    gap_x = seen_x - found * design(1:2:end, :).';
    gap_y = seen_y - found * design(2:2:end, :).';
    every(:, :, k) = found;
    costs(:, k) = sum(gap_x .^ 2 + gap_y .^ 2, 2);
end
lengths = reshape(sum(every .^ 2, 2), size(costs));
lengths(costs > min(costs, [], 2) + tolerance) = inf;
[~, best] = min(lengths, [], 2);
pixel = (1:size(x, 1)).';
cost = costs(pixel + size(x, 1) * (best - 1));
w = every(pixel + size(x, 1) * ((0:2) + 3 * (best - 1)));
w = w .* (1 - 2 * (w(:, 1) < 0));
end
