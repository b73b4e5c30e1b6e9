"""The only part that knows Snakemake: configuration, session, adapter, records."""
