function run_job(job_path)
%RUN_JOB  Work on the tiles, or slices, of a job one after the other, and report on each of them.
%   run_job(job_path) reads a job from a JSON file, an object with
%   step        'convert', 'process' or 'register': the function run_<step> makes the products of a
%               tile, of a slice for 'register'
%   report      path of the report
%   parameters  object, the same for all tiles; see the function of the step
%   tiles       list of objects: tile, its number; input, a path; outputs, an object with the
%               paths of its products by their names, in folders that exist; what else the step
%               asks for
%   The report is a JSON file too, and is written anew, whole, before and after every tile:
%   program     'GNU Octave' or 'MATLAB', and version
%   working     number of the tile that is worked on, 0 at the end
%   tiles       list of objects: tile, ok, identifier and message of the error, seconds, and
%               measured, an object of numbers
%   A tile that fails stops no other and raises nothing: the report decides. Where no report can be
%   written, or in Octave whoever started it is gone, the work ends.
if exist('OCTAVE_VERSION', 'builtin')
    % A killed Octave would write all its variables, gigabytes, into the folder it runs in.
    sigterm_dumps_octave_core(false);
    sighup_dumps_octave_core(false);
    crash_dumps_octave_core(false);
end
job = jsondecode(fileread(job_path));
report = struct('program', program(), 'version', version(), 'working', 0, 'tiles', {{}});
parent = starter();
for k = 1:numel(job.tiles)
    if starter() ~= parent
        error('octflow:file', 'nobody waits for tile %d any more', job.tiles(k).tile);
    end
    tile = job.tiles(k);
    report.working = tile.tile;
    write_report(job.report, report);
    report.tiles{end + 1} = attempt(job, tile);
    said = report.tiles{end};
    fprintf('%s %d %s in %.1f s\n', noun(job), tile.tile, said.outcome, said.seconds);
    flush_output();
end
report.working = 0;
write_report(job.report, report);
end

function said = attempt(job, tile)
started = tic;
said = struct('tile', tile.tile, 'ok', true, 'outcome', 'done', 'identifier', '', ...
    'message', '', 'seconds', 0, 'measured', struct());
try
    said.measured = feval(['run_', job.step], tile, job.parameters);
catch problem
    said.ok = false;
    said.outcome = ['failed: ', problem.message];
    said.identifier = problem.identifier;
    said.message = [problem.message, place_of(problem)];
end
said.seconds = toc(started);
end

function place = place_of(problem)
% Bad data are where the message says; a defect is in the code.
place = '';
if ~isempty(problem.stack) && ~strcmp(problem.identifier, 'octflow:data')
    place = sprintf(' (%s, line %d)', problem.stack(1).name, problem.stack(1).line);
end
end

function text = noun(job)
text = 'tile';
if strcmp(job.step, 'register')
    text = 'slice';
end
end

function id = starter()
% Number of the process that started this one: another when that was killed. MATLAB does not say.
id = 0;
if exist('OCTAVE_VERSION', 'builtin')
    id = getppid();
end
end

function name = program()
name = 'MATLAB';
if exist('OCTAVE_VERSION', 'builtin')
    name = 'GNU Octave';
end
end

function flush_output()
% What Octave prints waits in a buffer; MATLAB has none.
if exist('OCTAVE_VERSION', 'builtin')
    fflush(stdout);
end
end

function write_report(path, report)
part = [path, '.part'];
[file, message] = fopen(part, 'w');
if file < 0
    error('octflow:file', '%s: %s', part, message);
end
fwrite(file, jsonencode(report), 'char');
fclose(file);
replace_file(part, path);
end
