function delta_n = birefringence_per_line(retardance_deg, start, stop, wavelength_um, voxel_z_um)
%BIREFRINGENCE_PER_LINE  birefringence with a loop over A-lines.
delta_n = zeros(size(start), 'single');
for y = 1:size(start, 2)
    for x = 1:size(start, 1)
        value = double(retardance_deg(start(x, y) + 1:stop(x, y), x, y));
        depth = find(isfinite(value));
        if numel(depth) >= 3
            slope = polyfit(depth, value(depth), 1);
            delta_n(x, y) = slope(1) * wavelength_um / 360 / voxel_z_um;
        end
    end
end
end
