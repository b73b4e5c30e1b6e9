function [delta_n, axis_deg] = fit_rotation_per_line(intensity_db, retardance_deg, ...
    axis_of_voxels_deg, start, stop, optics)
%FIT_ROTATION_PER_LINE  fit_rotation with a loop over A-lines.
delta_n = zeros(size(start), 'single');
axis_deg = delta_n;
per_radian = optics.wavelength_um / (4 * pi * optics.voxel_z_um);
step = 2 * pi / (4 * max(stop(:) - start(:)));
rates = (0:floor(optics.max_delta_n / per_radian / step)) * step;
for y = 1:size(start, 2)
    for x = 1:size(start, 1)
        z = start(x, y) + 1:stop(x, y);
        [delta_n(x, y), axis_deg(x, y)] = fitted(double(intensity_db(z, x, y)), ...
            double(retardance_deg(z, x, y)) * pi / 90, ...
            double(axis_of_voxels_deg(z, x, y)) * pi / 90, rates, optics.enface_offset_px);
        delta_n(x, y) = delta_n(x, y) * per_radian;
    end
end
end

function [rate, axis_deg] = fitted(level, retardance, doubled, rates, offset_px)
weight = 10 .^ ((level - max(level)) / 10) .* cumprod(isfinite(level + retardance + doubled));
along = weight .* cos(retardance);
across = weight .* sin(retardance) .* exp(1i * doubled);
depth = (0:numel(weight) - 1).';
turn = (depth + offset_px) * rates;
[~, best] = max(along.' * cos(turn) + abs(across.' * sin(turn)));
rate = rates(best);
phase = rate * offset_px;
normal = [sum(weight .* depth .^ 2), sum(weight .* depth); sum(weight .* depth), sum(weight)];
for k = 1:6
    turn = depth * rate + phase;
    total = sum(across .* sin(turn));
    if total == 0
        total = sum(depth .* across .* cos(turn));
    end
    gradient = real(conj(total / max(abs(total), 1e-300)) * across) .* cos(turn) - along .* sin(turn);
    % Newton's method, with the curvature of a perfect fit.
    change = normal \ [sum(depth .* gradient); sum(gradient)];
    rate = rate + change(1);
    phase = phase + change(2);
end
turn = depth * rate + phase;
total = sum(across .* sin(turn));
axis_deg = 0;
if sum(weight > 0) < 3 || sum(along .* cos(turn)) + abs(total) < 0.3 * sum(weight)
    rate = 0;
    return
end
axis_deg = angle(total * sign(rate + (rate == 0)) + 0) * 90 / pi;
axis_deg = axis_deg + 180 * (axis_deg <= -90);
rate = abs(rate);
end
