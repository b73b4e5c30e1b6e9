from octflow.stages.stack.files import stack_slices
from octflow.workflow.adapter import run

run(stack_slices, snakemake)
