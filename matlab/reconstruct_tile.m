function [j1, j2] = reconstruct_tile(path, kind, n_x, n_y, tables, lane, n_lanes)
%RECONSTRUCT_TILE  Complex depth profiles of a raw tile of spectra, block by block.
%   [j1, j2] = reconstruct_tile(path, kind, n_x, n_y, tables)
%   [j1, j2] = reconstruct_tile(path, kind, n_x, n_y, tables, lane, n_lanes)
%   path, kind  as for read_spectra
%   n_x, n_y    A-lines per B-line and B-lines of the tile
%   tables      as from spectral_tables
%   lane, n_lanes  where the file holds several tiles, A-line by A-line: which of how many, from 0
%   j1, j2      (1000, X, Y) complex single, shallow first
if nargin < 6
    lane = 0;
    n_lanes = 1;
end
j1 = complex(zeros(1000, n_x, n_y, 'single'));
j2 = j1;
for first = 1:16:n_y
    count = min(16, n_y - first + 1);
    spectra = read_spectra(path, kind, n_lanes * n_x, n_y, first, count);
    spectra = spectra(:, lane + 1:n_lanes:end, :, :);
    here = first:first + count - 1;
    [j1(:, :, here), j2(:, :, here)] = spectral_to_complex(spectra, tables);
end
end
