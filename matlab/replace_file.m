function replace_file(part, path)
%REPLACE_FILE  Give a file that is whole its final name, in one step.
%   replace_file(part, path) renames part to path; a file of that name is replaced.
if exist('OCTAVE_VERSION', 'builtin')
    % movefile of Octave starts a shell, to which quotes in names mean something.
    [status, message] = rename(part, path);
    moved = status == 0;
else
    [moved, message] = movefile(part, path, 'f');
end
if ~moved
    error('octflow:file', '%s: %s', path, message);
end
end
