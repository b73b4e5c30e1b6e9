from octflow.stages.register.files import register_volumes
from octflow.workflow.adapter import run

run(register_volumes, snakemake)
