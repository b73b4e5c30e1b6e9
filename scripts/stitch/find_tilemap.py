from octflow.stages.stitch.files import find_tilemap
from octflow.workflow.adapter import run

run(find_tilemap, snakemake)
