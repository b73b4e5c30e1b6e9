function finish_nifti(file, part, path, written, expected)
%FINISH_NIFTI  Close a file of start_nifti and give it its final name if it is whole.
%   finish_nifti(file, part, path, written, expected): numbers of values.
closed = fclose(file);
if written ~= expected || closed ~= 0
    delete(part);
    % Mostly for want of room: no fault of the tile.
    error('octflow:file', '%s: found %d values written, expected %d', path, written, expected);
end
replace_file(part, path);
end
