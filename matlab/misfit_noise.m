function noise = misfit_noise(delta_n, axis_deg, tilt_deg, weights, share)
%MISFIT_NOISE  Noise of the views, from what they contradict each other.
%   noise = misfit_noise(delta_n, axis_deg, tilt_deg, weights, share)
%   delta_n, axis_deg  (X, Y, V), as for thru_plane
%   tilt_deg, weights  (1, V), as for solve_axes
%   share              (X, Y), part of its variance that is left of an averaged pixel; or empty
%   noise              standard deviation of a component of p = sqrt(B) (cos phi, sin phi) of a
%                      pixel that is not averaged, from the median misfit where the most views see
%                      tissue; 0 where no two views do
noise = 0;
[n_x, n_y, n_views] = size(delta_n);
[chosen, here] = choose_views(tilt_deg, isfinite(delta_n));
first_seen = find(cellfun(@(pixels) any(pixels(:)), here), 1);
if isempty(first_seen)
    return
end
views = chosen{first_seen};
here = here{first_seen};
cost = cell(1, ceil(n_y / 128));
for k = 1:numel(cost)
    lines = 128 * (k - 1) + 1:min(128 * k, n_y);
    pixels = here(:, lines);
    dn = reshape(delta_n(:, lines, :), [], n_views);
    deg = reshape(axis_deg(:, lines, :), [], n_views);
    [~, found] = solve_axes(dn(pixels, views), deg(pixels, views), tilt_deg(views), ...
        weights(views), 0);
    if ~isempty(share)
        left = share(:, lines);
        found = found ./ double(left(pixels));
    end
    cost{k} = found;
end
% The median of a chi-squared variable, by which a few misfits do not count.
noise = sqrt(median(vertcat(cost{:})) / (2 * gammaincinv(0.5, numel(views) - 1.5)));
end
