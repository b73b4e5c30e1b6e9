from octflow.stages.upload.files import upload_volume
from octflow.workflow.adapter import run

run(upload_volume, snakemake)
