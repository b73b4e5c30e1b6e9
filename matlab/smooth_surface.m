function smooth_px = smooth_surface(surface_px)
%SMOOTH_SURFACE  The 3 x 3 median of a map, mirrored at its borders.
%   smooth_px = smooth_surface(surface_px), both (X, Y).
x = [1, 1:size(surface_px, 1), size(surface_px, 1)];
y = [1, 1:size(surface_px, 2), size(surface_px, 2)];
padded = surface_px(x, y);
around = zeros([size(surface_px), 9], class(surface_px));
for k = 0:8
    around(:, :, k + 1) = padded(mod(k, 3) + (1:end - 2), floor(k / 3) + (1:end - 2));
end
smooth_px = median(around, 3);
end
