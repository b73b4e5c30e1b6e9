from octflow.stages.ingest.files import start_slice
from octflow.workflow.adapter import run

run(start_slice, snakemake)
