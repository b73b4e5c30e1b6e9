from octflow.stages.upload.files import upload_slice
from octflow.workflow.adapter import run

run(upload_slice, snakemake)
