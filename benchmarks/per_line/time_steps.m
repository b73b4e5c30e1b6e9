function seconds = time_steps(raw, job_path)
%TIME_STEPS  CPU seconds of every step, by the functions of matlab/ and by loops over A-lines.
%   seconds = time_steps(raw, job_path)
%   raw       file of spectra
%   job_path  JSON file, an object with n_x, n_y, instrument, settings
%   seconds   struct of [functions, loops] by step; both get the same arrays
job = jsondecode(fileread(job_path));
settings = job.settings;
instrument = job.instrument;
optics = struct('enface_offset_px', settings.enface_offset_px, 'max_delta_n', ...
    settings.max_delta_n, 'wavelength_um', instrument.wavelength_um, 'voxel_z_um', instrument.voxel_z_um);
spectra = read_spectra(raw, 'spectral', job.n_x, job.n_y);
tables = spectral_tables(instrument.cameras(:), zeros(2048, 2), 'none');
% The first run, on one B-line, finds and reads the functions.
for part = {spectra(:, :, :, 1), spectra}
    given = {part{1}, tables};
    [seconds.spectral_to_complex, j1, j2] = both('spectral_to_complex', 2, given{:});
    [seconds.complex_to_volumes, intensity_db, retardance_deg, axis_deg] = ...
        both('complex_to_volumes', 3, j1, j2, settings);
    clear j1 j2
    [seconds.find_surface, surface_px] = both('find_surface', 1, intensity_db);
    [start, stop] = depth_window(smooth_surface(surface_px), settings.enface_offset_px, ...
        settings.enface_depth_px, size(intensity_db, 1));
    volumes = {intensity_db, retardance_deg, axis_deg};
    seconds.enface_maps = both('enface_maps', 1, volumes{:}, start, stop);
    seconds.birefringence = both('birefringence', 1, retardance_deg, start, stop, ...
        instrument.wavelength_um, instrument.voxel_z_um);
    seconds.fit_rotation = both('fit_rotation', 2, volumes{:}, start, stop, optics);
end
end

function [seconds, varargout] = both(step, n, varargin)
made = cell(1, n);
started = cputime;
[made{:}] = feval([step, '_per_line'], varargin{:});
seconds(2) = cputime - started;
made = cell(1, n);
started = cputime;
[made{:}] = feval(step, varargin{:});
seconds(1) = cputime - started;
varargout = made;
end
