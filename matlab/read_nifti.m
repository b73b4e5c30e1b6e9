function [array, voxel_mm] = read_nifti(path)
%READ_NIFTI  Read an uncompressed, little-endian NIfTI-1 file.
%   [array, voxel_mm] = read_nifti(path)
%   array     (X, Y, Z), in the type of the file, or single where the header holds a scale
%   voxel_mm  (1, 3), size along x, y, z
file = open_sized(path, []);
closing = onCleanup(@() fclose(file));
if ~isequal(fread(file, 1, 'int32'), 348)
    refuse(path, 'no NIfTI-1 header', 'an uncompressed, little-endian NIfTI-1 file');
end
fseek(file, 40, 'bof');
dims = fread(file, 8, 'int16').';
fseek(file, 70, 'bof');
type = type_of(path, fread(file, 1, 'int16'));
fseek(file, 76, 'bof');
numbers = fread(file, 11, 'single').';          % pixdim, vox_offset, scl_slope, scl_inter
voxel_mm = numbers(2:4);
shape = dims(2:dims(1) + 1);
fseek(file, numbers(9), 'bof');
array = fread(file, prod(shape), [type, '=>', type]);
if numel(array) ~= prod(shape)
    refuse(path, sprintf('%d values', numel(array)), sprintf('%d', prod(shape)));
end
array = reshape(array, [shape, 1, 1]);
if numbers(10) ~= 0 && isfinite(numbers(10)) && ~isequal(numbers(10:11), [1, 0])
    array = single(array) * numbers(10) + numbers(11);
end
end

function type = type_of(path, code)
codes = [2, 4, 8, 16, 64, 512];
types = {'uint8', 'int16', 'int32', 'single', 'double', 'uint16'};
if ~any(codes == code)
    refuse(path, sprintf('type %d', code), ['one of', sprintf(' %d', codes)]);
end
type = types{codes == code};
end
