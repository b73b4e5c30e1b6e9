from octflow.stages.ingest.files import start_mosaic
from octflow.workflow.adapter import run

run(start_mosaic, snakemake)
