"""The job of `stitch_volume` in a process of its own, that it may be killed.

    python volume_job.py ARGUMENTS     a pickled dict of its arguments

Says "begins" when the program is loaded, and "ends" at the end.
"""

import pickle
import sys
from pathlib import Path

from octflow.stages.volume.files import stitch_volume

if __name__ == "__main__":
    arguments = pickle.loads(Path(sys.argv[1]).read_bytes())
    sys.stdout.write("begins\n")
    sys.stdout.flush()
    stitch_volume(**arguments)
    sys.stdout.write("ends\n")
