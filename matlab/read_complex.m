function [j1, j2] = read_complex(path, n_x, n_y)
%READ_COMPLEX  Read a complex tile.
%   [j1, j2] = read_complex(path, n_x, n_y) undoes write_complex: (Z, X, Y) complex single,
%   shallow first. A file of another shape than (4*n_x, n_y, Z) is an error.
blocks = read_nifti(path);
if size(blocks, 1) ~= 4 * n_x || size(blocks, 2) ~= n_y
    refuse(path, sprintf('%d x %d samples', size(blocks, 1), size(blocks, 2)), ...
        sprintf('%d x %d', 4 * n_x, n_y));
end
parts = permute(reshape(blocks(:, :, end:-1:1), n_x, 4, n_y, []), [4, 1, 3, 2]);
j1 = complex(parts(:, :, :, 1), parts(:, :, :, 2));
j2 = complex(parts(:, :, :, 3), parts(:, :, :, 4));
end
