function maps = enface_maps_per_line(intensity_db, retardance_deg, axis_deg, start, stop)
%ENFACE_MAPS_PER_LINE  enface_maps with a loop over A-lines.
for name = {'aip', 'mip', 'ret', 'ori'}
    maps.(name{1}) = zeros(size(start), 'single');
end
for y = 1:size(start, 2)
    for x = 1:size(start, 1)
        z = start(x, y) + 1:stop(x, y);
        maps.aip(x, y) = mean(double(intensity_db(z, x, y)));
        maps.mip(x, y) = max(intensity_db(z, x, y));
        maps.ret(x, y) = mean(double(retardance_deg(z, x, y)));
        doubled = double(axis_deg(z, x, y)) * pi / 90;
        axis = atan2(mean(sin(doubled)), mean(cos(doubled))) * 90 / pi;
        maps.ori(x, y) = axis + 180 * (axis <= -90);
    end
end
end
