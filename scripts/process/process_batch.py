from octflow.stages.process.files import process_batch
from octflow.workflow.adapter import run

run(process_batch, snakemake)
