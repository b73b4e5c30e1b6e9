"""What Snakemake's executor cluster-generic calls, and what it has called on a host.

`submit SCRIPT` prints the id of a job; `status ID` prints running, success or failed. `start`,
`run` and `ask`, each with FOLDER and HOST, work on the host itself.
"""

import sys
from pathlib import Path

from octflow.services.hosts.job import JOBS, Job


def main(verb: str, *words: str) -> int:
    """Do what a verb says; return the exit status."""
    if verb == "submit":
        return _submit(Path(words[0]))
    if verb == "status":
        from octflow.services.hosts.status import status_of

        return _say(status_of(Job(JOBS / words[0])))
    from octflow.services.hosts import run

    folder, host = words
    job = Job(Path(folder))
    if verb == "ask":
        return _say(run.ask(job))
    return {"start": run.start, "run": run.run}[verb](job, host)


def _submit(script: Path) -> int:
    from octflow.core.errors import OctflowError
    from octflow.services.hosts.settings import read_hosts
    from octflow.services.hosts.submit import submit

    try:
        job = submit(script, read_hosts())
    except OctflowError as error:
        print(f"octflow: {error}", file=sys.stderr)  # noqa: T201
        return 1
    try:
        return _say(job)
    except BrokenPipeError:  # Snakemake was interrupted: nobody would ever ask for this job.
        Job(JOBS / job).cancel()
        return 1


def _say(word: str) -> int:
    print(word, flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
