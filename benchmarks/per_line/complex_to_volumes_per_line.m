function [intensity_db, retardance_deg, axis_deg] = complex_to_volumes_per_line(j1, j2, settings)
%COMPLEX_TO_VOLUMES_PER_LINE  complex_to_volumes with a loop over A-lines; flip_phase is false.
intensity_db = zeros(size(j1), 'single');
retardance_deg = intensity_db;
axis_deg = intensity_db;
rotation = exp(2i * settings.phase_offset_deg * pi / 180);
for y = 1:size(j1, 3)
    for x = 1:size(j1, 2)
        a = j1(:, x, y);
        b = j2(:, x, y);
        intensity_db(:, x, y) = 10 * log10(max(abs(a) .^ 2 + abs(b) .^ 2, 2 ^ -23));
        retardance_deg(:, x, y) = atan2(abs(a), abs(b)) * 180 / pi;
        axis = angle(a .* conj(b) * rotation) * 90 / pi;
        axis(axis <= -90) = 90;
        axis_deg(:, x, y) = axis;
    end
end
end
