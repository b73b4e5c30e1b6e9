from octflow.stages.stitch.files import refine_tilemap
from octflow.workflow.adapter import run

run(refine_tilemap, snakemake)
