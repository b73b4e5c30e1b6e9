function [start, stop] = depth_window(surface_px, offset_px, depth_px, n_z)
%DEPTH_WINDOW  Place a window below the surface, clipped to the volume.
%   [start, stop] = depth_window(surface_px, offset_px, depth_px, n_z)
%   surface_px   (X, Y), first sample of the tissue, counted from 0; rounded, halves to even
%   offset_px    samples between the surface and the window
%   depth_px     samples in the window
%   n_z          samples in the volume
%   start, stop  (X, Y) double, first sample inside and first sample after, counted from 0; at
%                least one sample is inside
surface_px = double(surface_px);
first = round(surface_px) - (mod(surface_px, 2) == 0.5) + offset_px;
start = min(max(first, 0), n_z - 1);
stop = min(max(first + depth_px, start + 1), n_z);
end
