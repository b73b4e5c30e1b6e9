"""Stage archive: a copy of what the microscope wrote.

reads   raw tiles (from ingest), or what convert and process handed on when they read them
writes  compressed, checksummed copies of the raw tiles; nothing depends on them
"""


rule archive_batch:
    """Keep a compressed, checksummed copy of the raw tiles of a batch."""
    input:
        started=rules.start_batch.output.flag,
        converted=ancient(
            collect(
                rules.convert_batch.output.flag,
                batch=session.archived_after("convert_batch"),
                allow_missing=True,
            )
        ),
        processed=ancient(
            collect(
                rules.process_batch.output.flag,
                batch=session.archived_after("process_batch"),
                allow_missing=True,
            )
        ),
    output:
        flag="mosaic-{mosaic}/state/batch-{batch}.archived",
    log:
        "<logs>/archive_batch/{mosaic}_{batch}.log",
    benchmark:
        "<benchmarks>/archive_batch/{mosaic}_{batch}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 2
    resources:
        tile_pool=1,
        mem_mb=1000,
        runtime=session.tiles_min,
    params:
        folder="mosaic-{mosaic}/archived",
        subject=session.config.project.subject,
        illumination=session.illumination,
        settings=session.archive_settings,
        unit=session.unit,
        version=session.version("archive"),
    message:
        "Archiving mosaic {wildcards.mosaic} batch {wildcards.batch}"
    script:
        "../scripts/archive/archive_batch.py"
