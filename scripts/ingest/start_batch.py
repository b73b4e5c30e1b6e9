from octflow.stages.ingest.files import start_batch
from octflow.workflow.adapter import run

run(start_batch, snakemake)
