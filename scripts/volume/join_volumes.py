from octflow.stages.volume.files import join_volumes
from octflow.workflow.adapter import run

run(join_volumes, snakemake)
