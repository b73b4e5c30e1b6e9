from octflow.stages.stitch.files import stitch_enface
from octflow.workflow.adapter import run

run(stitch_enface, snakemake)
