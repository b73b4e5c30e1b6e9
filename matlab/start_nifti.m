function [file, part] = start_nifti(path, shape, type, voxel_mm)
%START_NIFTI  Open a NIfTI-1 file for writing and write everything before its values.
%   [file, part] = start_nifti(path, shape, type, voxel_mm)
%   path      final name
%   shape     (1, 3), voxels along x, y, z
%   type      'single' or 'uint16'
%   voxel_mm  (1, 3), size along x, y, z
%   file      identifier, at byte 352; part, the name until finish_nifti gives it the final one
types = struct('single', [16, 32], 'uint16', [512, 16]);
if ~isfield(types, type)
    refuse(path, ['type ', type], 'single or uint16');
end
part = [path, '.part'];
[file, message] = fopen(part, 'w', 'ieee-le');
if file < 0
    error('octflow:file', '%s: %s', part, message);
end
fwrite(file, 348, 'int32');
fwrite(file, zeros(1, 36), 'uint8');
fwrite(file, [3, shape, 1, 1, 1, 1], 'int16');
fwrite(file, zeros(1, 14), 'uint8');
fwrite(file, [types.(type), 0], 'int16');
fwrite(file, [1, voxel_mm, 1, 1, 1, 1, 352, 1, 0], 'single');
fwrite(file, 0, 'int16');
fwrite(file, [0, 2], 'uint8');                  % no slice order; sizes in mm
fwrite(file, zeros(1, 24 + 104), 'uint8');
fwrite(file, [0, 1], 'int16');                  % no quaternion; the matrix holds
fwrite(file, [zeros(1, 6), affine(voxel_mm)], 'single');
fwrite(file, [zeros(1, 16), double('n+1'), 0, zeros(1, 4)], 'uint8');
end

function values = affine(voxel_mm)
values = reshape([diag(voxel_mm), zeros(3, 1)].', 1, []);
end
