function [delta_n, axis_deg] = fit_rotation(intensity_db, retardance_deg, axis_of_voxels_deg, start, stop, optics)
%FIT_ROTATION  Birefringence and axis from the turn of the polarisation with depth.
%   [delta_n, axis_deg] = fit_rotation(intensity_db, retardance_deg, axis_of_voxels_deg, start, stop, optics)
%   volumes      (Z, X, Y) single, as from complex_to_volumes
%   start, stop  (X, Y), as from depth_window
%   optics       struct: enface_offset_px, samples between surface and window; max_delta_n, largest
%                birefringence that is sought; wavelength_um, voxel_z_um
%   delta_n      (X, Y) single, dimensionless, never negative
%   axis_deg     (X, Y) single, degrees in (-90, 90]
%   The vector I (cos 2R, sin 2R exp(2i axis)) turns evenly, by twice the retardance, whatever
%   folds. Rate and phase t = rate * depth + phase maximise sum V cos t + |sum W sin t|: of rates on
%   a grid the best, then 6 steps of Newton's method. Samples from the first on that is not finite
%   do not count. Both are 0 where fewer than 3 samples count or less than 0.3 of the intensity
%   follows the turn.
delta_n = zeros(size(start), 'single');
axis_deg = delta_n;
per_radian = optics.wavelength_um / (4 * pi * optics.voxel_z_um);
step = 2 * pi / (4 * max(stop(:) - start(:)));
rates = (0:floor(optics.max_delta_n / per_radian / step)) * step;
for y = 1:size(start, 2)
    [along, across, weight] = polarisation(intensity_db(:, :, y), retardance_deg(:, :, y), ...
        axis_of_voxels_deg(:, :, y), start(:, y), stop(:, y));
    [rate, phase] = coarse(along, across, rates, optics.enface_offset_px);
    depth = (0:size(weight, 1) - 1).';
    moments = [sum(weight, 1); sum(weight .* depth, 1); sum(weight .* depth .^ 2, 1)];
    for k = 1:6
        [rate, phase] = improved(along, across, moments, depth, rate, phase);
    end
    turn = depth .* rate + phase;
    total = sum(across .* sin(turn), 1);
    follows = sum(along .* cos(turn), 1) + abs(total) >= 0.3 * moments(1, :);
    follows = follows & sum(weight > 0, 1) >= 3;
    angle_deg = angle(total .* (1 - 2 * (rate < 0)) + 0) * 90 / pi;
    angle_deg(angle_deg <= -90) = 90;
    delta_n(follows, y) = abs(rate(follows)) * per_radian;
    axis_deg(follows, y) = angle_deg(follows);
end
end

function [along, across, weight] = polarisation(intensity_db, retardance_deg, axis_deg, start, stop)
[level, inside] = window_samples(intensity_db, start, stop);
retardance = window_samples(retardance_deg, start, stop) * (pi / 90);
doubled = window_samples(axis_deg, start, stop) * (pi / 90);
inside = inside & cumprod(isfinite(level + retardance + doubled), 1) > 0;
level(~inside) = -inf;
weight = 10 .^ ((level - max(level, [], 1)) / 10);
weight(~inside) = 0;
retardance(~inside) = 0;
doubled(~inside) = 0;
along = weight .* cos(retardance);
across = weight .* sin(retardance) .* exp(1i * doubled);
end

function [rate, phase] = coarse(along, across, rates, offset_px)
turn = rates.' * ((0:size(along, 1) - 1) + offset_px);
[~, best] = max(cos(turn) * along + abs(sin(turn) * across), [], 1);
rate = rates(best);
phase = rate * offset_px;
end

function [rate, phase] = improved(along, across, moments, depth, rate, phase)
% One step of Newton's method, with the best axis held.
turn = depth .* rate + phase;
sine = sin(turn);
cosine = cos(turn);
slope_along = along .* sine;
slope_across = across .* cosine;
total = sum(across .* sine, 1);
rising = sum(depth .* slope_across, 1);
% No turn yet: the axis is where W grows to.
total(total == 0) = rising(total == 0);
axis = conj(total ./ max(abs(total), 1e-300));
fault = real(axis .* sum(slope_across, 1)) - sum(slope_along, 1);
moment = real(axis .* rising) - sum(depth .* slope_along, 1);
determinant = moments(1, :) .* moments(3, :) - moments(2, :) .^ 2;
solved = determinant > 0;
determinant(~solved) = 1;
rate = rate + solved .* (moments(1, :) .* moment - moments(2, :) .* fault) ./ determinant;
phase = phase + solved .* (moments(3, :) .* fault - moments(2, :) .* moment) ./ determinant;
end
