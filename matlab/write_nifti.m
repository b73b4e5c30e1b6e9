function write_nifti(path, array, voxel_mm)
%WRITE_NIFTI  Write a map or a volume as NIfTI-1, whole or not at all.
%   write_nifti(path, array, voxel_mm)
%   path      ends in .nii
%   array     (X, Y) or (X, Y, Z), single or uint16: the order of the file. A map becomes a
%             volume with one plane
%   voxel_mm  (1, 3), size along x, y, z
[file, part] = start_nifti(path, [size(array, 1), size(array, 2), size(array, 3)], ...
    class(array), voxel_mm);
finish_nifti(file, part, path, fwrite(file, array, class(array)), numel(array));
end
