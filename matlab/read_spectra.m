function spectra = read_spectra(path, kind, n_x, n_y, first, count)
%READ_SPECTRA  Read B-lines of a raw tile of spectra.
%   spectra = read_spectra(path, kind, n_x, n_y) reads the whole tile,
%   spectra = read_spectra(path, kind, n_x, n_y, first, count) the B-lines first (from 1) to
%   first + count - 1.
%   kind      'spectral' (352 bytes of header, then uint16, little-endian) or 'spectral_12bit'
%             (no header, two samples in three bytes)
%   n_x, n_y  A-lines per B-line, B-lines
%   spectra   (K, X, 2, Y) uint16, camera counts as stored: the order of the file, so that
%             channel 2 is reversed along K = 2048
%   A file of another size is an error before anything is read.
if nargin < 5
    first = 1;
    count = n_y;
end
n_samples = 2 * 2048 * n_x;
switch kind
    case 'spectral'
        header = 352;
        line_bytes = 2 * n_samples;
        precision = 'uint16=>uint16';
    case 'spectral_12bit'
        header = 0;
        line_bytes = n_samples * 3 / 2;
        precision = 'uint8=>uint8';
    otherwise
        refuse('kind', kind, 'spectral or spectral_12bit');
end
file = open_sized(path, header + line_bytes * n_y);
closing = onCleanup(@() fclose(file));
fseek(file, header + (first - 1) * line_bytes, 'bof');
if strcmp(kind, 'spectral')
    spectra = fread(file, n_samples * count, precision);
else
    spectra = unpack_12bit(fread(file, line_bytes * count, precision));
end
spectra = reshape(spectra, 2048, n_x, 2, count);
end
