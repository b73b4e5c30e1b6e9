function measured = run_register(slice, parameters)
%RUN_REGISTER  The step register of run_job: maps of all views of a slice to its fibre axes.
%   measured = run_register(slice, parameters)
%   slice       struct: views, struct array, the view on whose pixels all is computed first:
%               delta_n, axis, paths of apparent birefringence and azimuth (degrees from +x towards
%               +y), NaN where the view sees no tissue; tilt_deg; weight; matrix and turn_deg, as
%               for resample_view, of no use for the first view; outputs, struct of paths: azimuth,
%               inclination, dn, misfit, uncertainty, uncertainty_inclination, as thru_plane
%               returns them, and seen_dn_1, seen_axis_1, seen_dn_2, ...: what the views see, on
%               the pixels of the first one, averaged
%   parameters  struct: voxel_mm; settings, as for average_views
%   measured    struct: noise_root_dn, noise of a pixel that is not averaged; averaged_pixels,
%               median number of pixels that were averaged, NaN where that is not known
views = slice.views;
for k = 1:numel(views)
    dn = read_nifti(views(k).delta_n);
    deg = read_nifti(views(k).axis);
    if k > 1
        shape = [size(delta_n, 1), size(delta_n, 2)];
        [dn, deg] = resample_view(dn, deg, views(k).matrix, views(k).turn_deg, shape);
    end
    delta_n(:, :, k) = dn;
    axis_deg(:, :, k) = deg;
end
tilt_deg = [views.tilt_deg];
weights = [views.weight];
settings = parameters.settings;
[delta_n, axis_deg, share] = average_views(delta_n, axis_deg, tilt_deg, weights, settings);
options = struct('weights', weights, 'noise', settings.axis_noise_root_dn, 'share', share);
fibres = thru_plane(delta_n, axis_deg, tilt_deg, options);
made = struct('azimuth', fibres.azimuth_deg, 'inclination', fibres.inclination_deg, ...
    'dn', fibres.delta_n, 'misfit', fibres.misfit, 'uncertainty', fibres.uncertainty_deg, ...
    'uncertainty_inclination', fibres.inclination_uncertainty_deg);
for k = 1:numel(views)
    made.(sprintf('seen_dn_%d', k)) = delta_n(:, :, k);
    made.(sprintf('seen_axis_%d', k)) = axis_deg(:, :, k);
end
for product = fieldnames(slice.outputs).'
    write_nifti(slice.outputs.(product{1}), made.(product{1}), parameters.voxel_mm(:).');
end
measured = struct('noise_root_dn', fibres.noise, 'averaged_pixels', NaN);
known = isfinite(fibres.delta_n);
if ~isempty(share) && any(known(:))
    measured.averaged_pixels = 1 / double(median(share(known)));
end
end
