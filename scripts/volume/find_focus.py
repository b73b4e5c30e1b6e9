from octflow.stages.volume.files import find_focus
from octflow.workflow.adapter import run

run(find_focus, snakemake)
