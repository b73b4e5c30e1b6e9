from octflow.stages.upload.files import upload_dataset
from octflow.workflow.adapter import run

run(upload_dataset, snakemake)
