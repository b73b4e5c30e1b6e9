function [samples, inside] = window_samples(volume, start, stop)
%WINDOW_SAMPLES  Cut the window of every A-line out of a volume.
%   [samples, inside] = window_samples(volume, start, stop)
%   volume       (Z, X, Y)
%   start, stop  (X, Y), as from depth_window
%   samples      (W, X*Y) double, W the largest window; what lies beyond a shorter one repeats
%                samples of the volume
%   inside       (W, X*Y) logical, true where samples belong to the window
n_z = size(volume, 1);
depth = start(:).' + (0:max(stop(:) - start(:)) - 1).';
inside = depth < stop(:).';
samples = double(volume(min(depth, n_z - 1) + 1 + n_z * (0:numel(start) - 1)));
end
