function measured = run_process(tile, parameters)
%RUN_PROCESS  The step process of run_job: a complex tile to its volumes and maps.
%   measured = run_process(tile, parameters)
%   tile        struct: input, a complex tile; outputs, struct of paths by product: those of the
%               volumes dBI, R3D, O3D and of the maps of tile_maps that are wanted
%   parameters  struct: n_x, n_y, of the tile; voxel_mm; instrument and settings, as for tile_maps
%               and complex_to_volumes
%   measured    struct: nan_fraction, share of complex samples that are not finite; they become 0;
%               noise_floor_db, as from tile_maps
[j1, j2] = read_complex(tile.input, parameters.n_x, parameters.n_y);
bad_1 = ~isfinite(j1);
bad_2 = ~isfinite(j2);
j1(bad_1) = 0;
j2(bad_2) = 0;
measured.nan_fraction = (sum(bad_1(:)) + sum(bad_2(:))) / (2 * numel(j1));
clear bad_1 bad_2
[volumes.dBI, volumes.R3D, volumes.O3D] = complex_to_volumes(j1, j2, parameters.settings);
clear j1 j2
[maps, volumes.dBI, measured.noise_floor_db] = tile_maps(volumes.dBI, volumes.R3D, ...
    volumes.O3D, parameters.settings, parameters.instrument);
voxel_mm = parameters.voxel_mm(:).';
for product = fieldnames(tile.outputs).'
    path = tile.outputs.(product{1});
    if isfield(volumes, product{1})
        write_nifti(path, permute(volumes.(product{1}), [2, 3, 1]), voxel_mm);
    else
        depth = [1, 1, parameters.settings.enface_depth_px];
        write_nifti(path, single(maps.(product{1})), voxel_mm .* depth);
    end
end
end
