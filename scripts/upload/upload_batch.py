from octflow.stages.upload.files import upload_batch
from octflow.workflow.adapter import run

run(upload_batch, snakemake)
