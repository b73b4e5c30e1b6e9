from octflow.stages.register.files import register_slice
from octflow.workflow.adapter import run

run(register_slice, snakemake)
