function write_complex(path, j1, j2, voxel_mm)
%WRITE_COMPLEX  Write a complex tile, whole or not at all.
%   write_complex(path, j1, j2, voxel_mm)
%   j1, j2    (Z, X, Y) complex single, shallow first
%   voxel_mm  (1, 3), size along x, y, z
%   The file holds single (4*X, Y, Z): Re J1, Im J1, Re J2, Im J2 along x, and deep samples first.
[n_z, n_x, n_y] = size(j1);
[file, part] = start_nifti(path, [4 * n_x, n_y, n_z], 'single', voxel_mm);
written = 0;
for last = n_z:-50:1
    z = last:-1:max(last - 49, 1);
    block = cat(2, real(j1(z, :, :)), imag(j1(z, :, :)), real(j2(z, :, :)), imag(j2(z, :, :)));
    written = written + fwrite(file, permute(block, [2, 3, 1]), 'single');
end
finish_nifti(file, part, path, written, 4 * numel(j1));
end
