from octflow.stages.stack.files import place_slice
from octflow.workflow.adapter import run

run(place_slice, snakemake)
