from octflow.stages.upload.files import upload_mosaic
from octflow.workflow.adapter import run

run(upload_mosaic, snakemake)
