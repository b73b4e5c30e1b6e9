function [intensity_db, retardance_deg, axis_deg] = complex_to_volumes(j1, j2, settings)
%COMPLEX_TO_VOLUMES  Intensity, retardance and optic axis of every voxel.
%   [intensity_db, retardance_deg, axis_deg] = complex_to_volumes(j1, j2, settings)
%   j1, j2    (Z, X, Y) complex single
%   settings  struct: phase_offset_deg, added to the axis; flip_phase, true to negate the
%             argument of j1 conj(j2) before that
%   With I = |j1|^2 + |j2|^2, all (Z, X, Y) single:
%   intensity_db    10 log10 max(I, 2^-23), dB
%   retardance_deg  atan2(|j1|, |j2|), 0 to 90 degrees
%   axis_deg        half the argument of j1 conj(j2) exp(2i offset), degrees in (-90, 90]: wrapped
%                   by construction. An axis, which is never averaged as a number
intensity_db = zeros(size(j1), 'single');
retardance_deg = intensity_db;
axis_deg = intensity_db;
rotation = single(exp(2i * settings.phase_offset_deg * pi / 180));
for y = 1:size(j1, 3)
    [intensity_db(:, :, y), retardance_deg(:, :, y), axis_deg(:, :, y)] = ...
        contrasts(j1(:, :, y), j2(:, :, y), rotation, settings.flip_phase);
end
end

function [intensity_db, retardance_deg, axis_deg] = contrasts(j1, j2, rotation, flip_phase)
amplitude_1 = abs(j1);
amplitude_2 = abs(j2);
intensity_db = 10 * log10(max(amplitude_1 .^ 2 + amplitude_2 .^ 2, single(2 ^ -23)));
retardance_deg = atan2(amplitude_1, amplitude_2) * single(180 / pi);
if flip_phase
    product = conj(j1) .* j2;
else
    product = j1 .* conj(j2);
end
% Adding 0 takes the sign of a zero away, of which the angle would be 180 degrees.
axis_deg = angle(product * rotation + 0) * single(90 / pi);
axis_deg(axis_deg <= -90) = 90;
end
