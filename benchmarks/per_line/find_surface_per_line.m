function surface_px = find_surface_per_line(intensity_db)
%FIND_SURFACE_PER_LINE  find_surface with a loop over A-lines.
[~, n_x, n_y] = size(intensity_db);
surface_px = zeros(n_x, n_y, 'single');
gaussian = exp(-0.5 * ((-10:10).' / 5) .^ 2);
gaussian = gaussian / sum(gaussian);
after_less_before = [ones(5, 1); -ones(5, 1)] / 5;
for y = 1:n_y
    for x = 1:n_x
        line = double(intensity_db(:, x, y));
        smooth = conv([line(1) * ones(10, 1); line; line(end) * ones(10, 1)], gaussian, 'valid');
        [~, index] = max(conv(smooth, after_less_before, 'valid'));
        surface_px(x, y) = index - 1 + 5;
    end
end
end
