"""Rerun the workflow while tiles come in: one Snakemake process per pool, side by side."""
