function [maps, intensity_db, noise_floor_db] = tile_maps(intensity_db, retardance_deg, axis_deg, settings, instrument)
%TILE_MAPS  Surface and all maps of a tile from its volumes.
%   [maps, intensity_db, noise_floor_db] = tile_maps(intensity_db, retardance_deg, axis_deg, settings, instrument)
%   volumes     (Z, X, Y) single, as from complex_to_volumes
%   settings    struct: surface ('find', 'find-threshold', 'find-refined' or a depth index for all
%               A-lines), surface_threshold_db, enface_offset_px, enface_depth_px, birefringence
%               ('slope' or 'fold'), max_delta_n, roll_off_db, scattering, scattering_noise
%               ('keep' or 'subtract')
%   instrument  struct: wavelength_um, voxel_z_um
%   maps        struct of (X, Y) single: surf (3 x 3 median) and surfraw, px counted from 0; step,
%               rise at the surface, dB, NaN where it was given; aip, mip (dB), ret, ori
%               (degrees), biref (dimensionless); where settings.scattering is true mus (1/mm)
%   intensity_db  as given, with the roll-off given back
%   noise_floor_db  median intensity of the deepest 100 samples, before that
[surface_px, maps.step] = surface_by(intensity_db, settings);
maps.surf = smooth_surface(surface_px);
maps.surfraw = surface_px;
n_z = size(intensity_db, 1);
deepest = intensity_db(max(end - 99, 1):end, :, :);
noise_floor_db = double(median(deepest(:)));
noise = mean(10 .^ (double(deepest(:)) / 10));
loss_db = settings.roll_off_db * (((0:n_z - 1).' + 24) / 1024) .^ 2;
if settings.roll_off_db > 0
    intensity_db = intensity_db + single(loss_db);
end
[start, stop] = depth_window(maps.surf, settings.enface_offset_px, settings.enface_depth_px, n_z);
means = enface_maps(intensity_db, retardance_deg, axis_deg, start, stop);
for name = fieldnames(means).'
    maps.(name{1}) = means.(name{1});
end
if strcmp(settings.birefringence, 'fold')
    optics = struct('enface_offset_px', settings.enface_offset_px, ...
        'max_delta_n', settings.max_delta_n, 'wavelength_um', instrument.wavelength_um, ...
        'voxel_z_um', instrument.voxel_z_um);
    [maps.biref, maps.ori] = fit_rotation(intensity_db, retardance_deg, axis_deg, start, stop, optics);
else
    maps.biref = birefringence(retardance_deg, start, stop, ...
        instrument.wavelength_um, instrument.voxel_z_um);
end
if settings.scattering
    % Noise knows no roll-off; what was given back raised it.
    subtracted = strcmp(settings.scattering_noise, 'subtract') * noise * 10 .^ (loss_db / 10);
    maps.mus = scattering(intensity_db, start, stop, instrument.voxel_z_um / 1000, subtracted);
end
end

function [surface_px, step_db] = surface_by(intensity_db, settings)
[n_z, n_x, n_y] = size(intensity_db);
rule = settings.surface;
if ~ischar(rule)
    surface_px = min(max(rule, 0), n_z - 1) * ones(n_x, n_y, 'single');
    step_db = nan(n_x, n_y, 'single');
    return
end
[surface_px, step_db] = find_surface(intensity_db);
switch rule
    case 'find'
    case 'find-threshold'
        surface_px = inside_tissue(surface_px, intensity_db(1:20, :, :), settings.surface_threshold_db);
    case 'find-refined'
        surface_px = find_refined_surface(intensity_db, surface_px);
    otherwise
        refuse('surface', rule, 'find, find-threshold, find-refined or a depth index');
end
end

function surface_px = inside_tissue(surface_px, leading_db, threshold_db)
% Where an A-line begins inside tissue, its first sample that reaches the threshold.
bright = leading_db >= threshold_db;
[~, first] = max(bright, [], 1);
inside = reshape(mean(leading_db, 1) >= threshold_db, size(surface_px));
first = reshape(first, size(surface_px)) - 1;
surface_px(inside) = first(inside);
end
