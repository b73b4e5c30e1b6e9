from octflow.stages.convert.files import convert_batch
from octflow.workflow.adapter import run

run(convert_batch, snakemake)
