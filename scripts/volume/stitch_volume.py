from octflow.stages.volume.files import stitch_volume
from octflow.workflow.adapter import run

run(stitch_volume, snakemake)
