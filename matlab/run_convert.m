function measured = run_convert(tile, parameters)
%RUN_CONVERT  The step convert of run_job: a raw tile of spectra to a complex tile.
%   measured = run_convert(tile, parameters)
%   tile        struct: input, a raw file; outputs.complex, the path of the complex tile
%   parameters  struct: kind, n_x, n_y, lane, n_lanes, as for reconstruct_tile; cameras, window, as
%               for spectral_tables; dispersion_file, a path or empty; voxel_mm
%   measured    struct without fields
measured = struct();
phase_rad = read_dispersion(parameters.dispersion_file);
tables = spectral_tables(parameters.cameras(:), phase_rad, parameters.window);
[j1, j2] = reconstruct_tile(tile.input, parameters.kind, parameters.n_x, parameters.n_y, ...
    tables, parameters.lane, parameters.n_lanes);
write_complex(tile.outputs.complex, j1, j2, parameters.voxel_mm(:).');
end
