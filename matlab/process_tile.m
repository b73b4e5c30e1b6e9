function process_tile(job_path)
%PROCESS_TILE  One tile from its raw file to all its products.
%   process_tile(job_path) reads a job from a JSON file, an object with
%   input       raw file
%   kind        'spectral', 'spectral_12bit', 'complex', or 'processed': then input is an object
%               with the paths of dBI, R3D and O3D
%   n_x, n_y    A-lines per B-line, B-lines
%   lane, n_lanes  if the file of spectra holds several tiles, A-line by A-line: which of how
%               many, from 0
%   instrument  object: wavelength_um, voxel_x_um, voxel_y_um, voxel_z_um, cameras (two objects
%               with slope_nm, offset_nm), dispersion_file (a path or null)
%   window      'none' or 'hann', over the spectrum
%   settings    object: phase_offset_deg, flip_phase, and those of tile_maps
%   folder      where products go; it must exist
%   name        first part of their names, such as mosaic_001_image_0001
%   and writes name_<product>.nii: complex where the input holds spectra, the volumes dBI, R3D,
%   O3D where it does not hold them, the maps aip, mip, ret, ori, biref, surf, surfraw. Complex samples that are not finite
%   become 0.
job = jsondecode(fileread(job_path));
instrument = job.instrument;
voxel_mm = [instrument.voxel_x_um, instrument.voxel_y_um, instrument.voxel_z_um] / 1000;
path_of = @(product) fullfile(job.folder, [job.name, '_', product, '.nii']);
if strcmp(job.kind, 'processed')
    [intensity_db, retardance_deg, axis_deg] = delivered(job.input);
else
    [j1, j2] = profiles(job, path_of, voxel_mm);
    [intensity_db, retardance_deg, axis_deg] = complex_to_volumes(j1, j2, job.settings);
    clear j1 j2
    write_nifti(path_of('dBI'), permute(intensity_db, [2, 3, 1]), voxel_mm);
    write_nifti(path_of('R3D'), permute(retardance_deg, [2, 3, 1]), voxel_mm);
    write_nifti(path_of('O3D'), permute(axis_deg, [2, 3, 1]), voxel_mm);
end
maps = tile_maps(intensity_db, retardance_deg, axis_deg, job.settings, instrument);
maps = rmfield(maps, 'step');
map_mm = voxel_mm .* [1, 1, job.settings.enface_depth_px];
for product = fieldnames(maps).'
    write_nifti(path_of(product{1}), maps.(product{1}), map_mm);
end
end

function varargout = delivered(paths)
products = {'dBI', 'R3D', 'O3D'};
for k = 1:3
    varargout{k} = permute(read_nifti(paths.(products{k})), [3, 1, 2]);
end
end

function [j1, j2] = profiles(job, path_of, voxel_mm)
if strcmp(job.kind, 'complex')
    [j1, j2] = read_complex(job.input, job.n_x, job.n_y);
    j1(~isfinite(j1)) = 0;
    j2(~isfinite(j2)) = 0;
else
    tables = spectral_tables(job.instrument.cameras(:), ...
        read_dispersion(job.instrument.dispersion_file), job.window);
    lanes = {0, 1};
    if isfield(job, 'lane')
        lanes = {job.lane, job.n_lanes};
    end
    [j1, j2] = reconstruct_tile(job.input, job.kind, job.n_x, job.n_y, tables, lanes{:});
    write_complex(path_of('complex'), j1, j2, voxel_mm);
end
end
