function phase_rad = read_dispersion(path)
%READ_DISPERSION  Read the dispersion phases of the cameras.
%   phase_rad = read_dispersion(path) reads float64, little-endian: 2048 values for both
%   cameras or 4096, one camera after the other. It returns (2048, 2), in rad; zeros where path
%   is empty. Other lengths, and values that are not finite, are errors.
if isempty(path)
    phase_rad = zeros(2048, 2);
    return
end
file = open_sized(path, []);
closing = onCleanup(@() fclose(file));
phase_rad = fread(file, inf, 'double=>double');
if ~any(numel(phase_rad) == [2048 4096]) || ~all(isfinite(phase_rad))
    refuse(path, sprintf('%d values', numel(phase_rad)), '2048 or 4096 finite float64 values');
end
if numel(phase_rad) == 2048
    phase_rad = [phase_rad; phase_rad];
end
phase_rad = reshape(phase_rad, 2048, 2);
end
