function maps = tile_maps(intensity_db, retardance_deg, axis_deg, settings, instrument)
%TILE_MAPS  Surface and all maps of a tile from its volumes.
%   maps = tile_maps(intensity_db, retardance_deg, axis_deg, settings, instrument)
%   volumes     (Z, X, Y) single, as from complex_to_volumes
%   settings    struct: surface ('find' or a depth index for all A-lines), enface_offset_px,
%               enface_depth_px
%   instrument  struct: wavelength_um, voxel_z_um
%   maps        struct of (X, Y) single: surf (3 x 3 median) and surfraw, px counted from 0; aip,
%               mip (dB), ret, ori (degrees), biref (dimensionless)
[n_z, n_x, n_y] = size(intensity_db);
if ischar(settings.surface) && ~strcmp(settings.surface, 'find')
    refuse('surface', settings.surface, 'find or a depth index');
elseif ischar(settings.surface)
    surface_px = find_surface(intensity_db);
else
    surface_px = min(max(settings.surface, 0), n_z - 1) * ones(n_x, n_y, 'single');
end
smooth_px = smooth_surface(surface_px);
[start, stop] = depth_window(smooth_px, settings.enface_offset_px, settings.enface_depth_px, n_z);
maps = enface_maps(intensity_db, retardance_deg, axis_deg, start, stop);
maps.biref = birefringence(retardance_deg, start, stop, ...
    instrument.wavelength_um, instrument.voxel_z_um);
maps.surf = smooth_px;
maps.surfraw = surface_px;
end
