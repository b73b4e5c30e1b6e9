function [mean_dn, mean_deg, share] = average_views(delta_n, axis_deg, tilt_deg, weights, settings)
%AVERAGE_VIEWS  Average what the views see over the pixels around each.
%   [mean_dn, mean_deg, share] = average_views(delta_n, axis_deg, tilt_deg, weights, settings)
%   delta_n, axis_deg  (X, Y, V) single, as for thru_plane
%   tilt_deg, weights  (1, V), as for solve_axes
%   settings           struct: axis_smoothing, 'adaptive', 'gaussian' or 'none'; axis_smoothing_px,
%                      sigma of the Gaussian; axis_smoothing_radius_px, largest radius, and
%                      axis_goal_deg, error in depth of a typical flat fibre that is aimed at, of
%                      the adaptive one; axis_noise_root_dn, noise of a view, 0 to measure it
%   mean_dn, mean_deg  (X, Y, V) single, averaged; NaN as before
%   share              (X, Y) single, part of its variance that is left of a pixel; empty where
%                      that is not known: nothing was averaged, or all pixels alike
mean_dn = delta_n;
mean_deg = axis_deg;
share = [];
switch settings.axis_smoothing
    case 'none'
    case 'gaussian'
        for k = 1:numel(tilt_deg)
            [mean_dn(:, :, k), mean_deg(:, :, k)] = blurred(delta_n(:, :, k), axis_deg(:, :, k), ...
                settings.axis_smoothing_px);
        end
    case 'adaptive'
        noise = settings.axis_noise_root_dn;
        if noise == 0
            noise = misfit_noise(delta_n, axis_deg, tilt_deg, weights, []);
        end
        pixels = pixels_needed(delta_n, tilt_deg, weights, noise, settings.axis_goal_deg);
        radii_px = radii_of(pixels, settings.axis_smoothing_radius_px);
        if ~isempty(radii_px)
            [mean_dn, mean_deg, share] = average_alike(delta_n, axis_deg, weights, noise, radii_px);
        end
    otherwise
        refuse('axis_smoothing', settings.axis_smoothing, 'adaptive, gaussian or none');
end
end

function [mean_dn, mean_deg] = blurred(delta_n, axis_deg, sigma_px)
seen = isfinite(delta_n);
delta_n(~seen) = 0;
axis_deg(~seen) = 0;
dyad = max(delta_n, 0) .* exp(axis_deg * single(2i * pi / 180));
if sigma_px > 0
    reach = floor(3 * sigma_px + 0.5);
    taps = exp(-0.5 * ((-reach:reach) / sigma_px) .^ 2);
    taps = single(taps / sum(taps));
    share = conv2(taps, taps, single(seen), 'same');
    delta_n = conv2(taps, taps, delta_n, 'same') ./ max(share, realmin('single'));
    dyad = conv2(taps, taps, dyad, 'same');
end
mean_dn = max(delta_n, 0);
mean_deg = atan2(imag(dyad), real(dyad)) * single(90 / pi);
mean_deg(mean_deg <= -90) = 90;
mean_dn(~seen) = NaN;
mean_deg(~seen) = NaN;
end

function pixels = pixels_needed(delta_n, tilt_deg, weights, noise, goal_deg)
% As many as make the depth of a flat fibre of median birefringence err by the goal.
strengths = [];
for k = 1:numel(tilt_deg)
    seen = delta_n(:, :, k);
    seen = seen(isfinite(seen));
    if ~isempty(seen)
        strengths(end + 1) = median(double(seen));
    end
end
pixels = 0;
if noise > 0 && ~isempty(strengths)
    spread = view_covariance(tilt_deg, weights);
    strength = max(mean(strengths), double(realmin('single')));
    pixels = noise ^ 2 * spread(3, 3) / strength / (goal_deg * pi / 180) ^ 2;
end
end

function radii_px = radii_of(pixels, largest_px)
% Radii in even ratio, from 1.5 px; the last averages over about so many pixels.
last = min(sqrt(4 * pixels / (3 * pi)), largest_px);
if last <= 1
    radii_px = [];
elseif last <= 1.5
    radii_px = last;
else
    count = max(1, ceil(log(last / 1.5) / log(2.5) - 0.25));
    radii_px = 1.5 * (last / 1.5) .^ ((0:count) / count);
end
radii_px = round(1000 * radii_px) / 1000;
end
