from octflow.stages.archive.files import archive_batch
from octflow.workflow.adapter import run

run(archive_batch, snakemake)
