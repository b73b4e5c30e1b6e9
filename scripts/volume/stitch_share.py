from octflow.stages.volume.files import stitch_share
from octflow.workflow.adapter import run

run(stitch_share, snakemake)
