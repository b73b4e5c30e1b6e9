function file = open_sized(path, n_bytes)
%OPEN_SIZED  Open a file for reading if it has the size it must have.
%   file = open_sized(path, n_bytes) returns the identifier of the little-endian file, at its
%   start. n_bytes may be [] for any size. Another size is an error with both numbers.
file = fopen(path, 'r', 'ieee-le');
if file < 0
    refuse(path, 'no file that can be read', 'a file');
end
fseek(file, 0, 'eof');
found = ftell(file);
fseek(file, 0, 'bof');
if ~isempty(n_bytes) && found ~= n_bytes
    fclose(file);
    refuse(path, sprintf('%d bytes', found), sprintf('%d bytes', n_bytes));
end
end
