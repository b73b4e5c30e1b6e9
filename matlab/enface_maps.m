function maps = enface_maps(intensity_db, retardance_deg, axis_deg, start, stop)
%ENFACE_MAPS  Maps of a window of depth below the surface.
%   maps = enface_maps(intensity_db, retardance_deg, axis_deg, start, stop)
%   volumes      (Z, X, Y) single, as from complex_to_volumes
%   start, stop  (X, Y), as from depth_window
%   maps         struct of (X, Y) single: aip, mip, mean and maximum of the intensity, dB; ret,
%                mean retardance, degrees; ori, half the angle of the summed doubled axis angles,
%                degrees in (-90, 90]
n = reshape(stop - start, 1, []);
[samples, inside] = window_samples(intensity_db, start, stop);
maps.aip = map_of(sum(samples .* inside, 1) ./ n, start);
samples(~inside) = -inf;
maps.mip = map_of(max(samples, [], 1), start);
[samples, inside] = window_samples(retardance_deg, start, stop);
maps.ret = map_of(sum(samples .* inside, 1) ./ n, start);
[samples, inside] = window_samples(axis_deg, start, stop);
doubled = samples * (2 * pi / 180);
mean_deg = map_of(atan2(sum(sin(doubled) .* inside, 1), sum(cos(doubled) .* inside, 1)) * 90 / pi, start);
mean_deg(mean_deg <= -90) = mean_deg(mean_deg <= -90) + 180;
maps.ori = mean_deg;
end

function map = map_of(values, like)
map = single(reshape(values, size(like)));
end
