function fibres = thru_plane(delta_n, axis_deg, tilt_deg, options)
%THRU_PLANE  Inclination, azimuth and birefringence of fibres from views under several tilts.
%   fibres = thru_plane(delta_n, axis_deg, tilt_deg, options)
%   delta_n   (X, Y, V) single, apparent birefringence under V views, on the same pixels; NaN where
%             a view sees no tissue
%   axis_deg  (X, Y, V) single, apparent azimuth from +x towards +y, degrees; NaN likewise
%   tilt_deg  (1, V), tilts of the beams about y: a beam runs along (sin g, 0, cos g)
%   options   struct: weights (1, V), inverse variances of the views, up to a factor; noise,
%             standard deviation of a component of p = sqrt(B) (cos phi, sin phi) of a pixel that is
%             not averaged, 0 to take it from the misfit of the views; share (X, Y), part of its
%             variance that is left of an averaged pixel, or empty
%   fibres    struct of (X, Y) single, NaN where fewer than two views, 2 degrees apart, see
%             birefringent tissue:
%     azimuth_deg      from +x towards +y, degrees, -90 to 90
%     inclination_deg  degrees, -90 to 90, positive where the end with positive x points deeper
%     delta_n          true birefringence
%     misfit           root mean square of what the views contradict each other, root of
%                      birefringence
%     uncertainty_deg, inclination_uncertainty_deg
%                      errors of axis and inclination that the noise causes, to first order, degrees
%   and noise, a number.
%   See solve_axes for the formula. Where the noise hides which signs the projections have, the
%   fibre of the least birefringence is taken.
noise = options.noise;
if noise == 0
    noise = misfit_noise(delta_n, axis_deg, tilt_deg, options.weights, options.share);
end
[n_x, n_y, n_views] = size(delta_n);
names = {'azimuth_deg', 'inclination_deg', 'delta_n', 'misfit', 'uncertainty_deg', ...
    'inclination_uncertainty_deg'};
for name = names
    fibres.(name{1}) = nan(n_x, n_y, 'single');
end
fibres.noise = noise;
for first = 1:128:n_y
    lines = first:min(first + 127, n_y);
    dn = reshape(delta_n(:, lines, :), [], n_views);
    deg = reshape(axis_deg(:, lines, :), [], n_views);
    left = ones(size(dn, 1), 1);
    if ~isempty(options.share)
        left = double(reshape(options.share(:, lines), [], 1));
    end
    [chosen, here] = choose_views(tilt_deg, isfinite(delta_n(:, lines, :)));
    for k = 1:numel(chosen)
        views = chosen{k};
        pixels = find(here{k});
        if isempty(pixels)
            continue
        end
        % Squared residuals that differ by less than 8 variances do not tell signs apart.
        [w, cost] = solve_axes(dn(pixels, views), deg(pixels, views), tilt_deg(views), ...
            options.weights(views), 8 * noise ^ 2 * left(pixels));
        spread = noise ^ 2 * view_covariance(tilt_deg(views), options.weights(views));
        found = described(w, cost / (2 * numel(views) - 3), spread, left(pixels));
        for name = names
            fibres.(name{1})(n_x * (first - 1) + pixels) = found.(name{1});
        end
    end
end
end

function found = described(w, cost, spread, share)
% Split w into angles and birefringence, and take its noise to them.
delta_n = sum(w .^ 2, 2);
nothing = delta_n == 0;
axis = w ./ sqrt(delta_n + nothing);
axis = axis .* (1 - 2 * (axis(:, 1) < 0 | (axis(:, 1) == 0 & axis(:, 2) < 0)));
flat = hypot(axis(:, 1), axis(:, 2));
steep = flat == 0;
pole = [-axis(:, 3) .* axis(:, 1:2) ./ (flat + steep), flat];
pole(steep, 1) = 1;
across = share .* (trace(spread) - along(spread, axis));
upwards = share .* along(spread, pole);
% No more than the errors of axes taken blindly.
found.uncertainty_deg = min(sqrt(max(across, 0) ./ delta_n), sqrt(pi - 2)) * (180 / pi);
found.inclination_uncertainty_deg = ...
    min(sqrt(max(upwards, 0) ./ delta_n), sqrt(pi ^ 2 / 4 - 2)) * (180 / pi);
found.azimuth_deg = atan2(axis(:, 2), abs(axis(:, 1))) * (180 / pi);
found.inclination_deg = atan2(axis(:, 3), flat) * (180 / pi);
found.misfit = sqrt(cost);
found.delta_n = delta_n;
for name = fieldnames(found).'
    found.(name{1})(nothing) = NaN;
end
end

function variance = along(spread, axis)
% Variance of w along every unit vector.
variance = sum((axis * spread) .* axis, 2);
end
