"""Stage convert: spectra to complex depth profiles.

reads   raw tiles (from ingest)
writes  complex tiles, linked where the microscope delivers them
"""


rule convert_batch:
    """Reconstruct the complex tiles of a batch."""
    input:
        started=rules.start_batch.output.flag,
    output:
        flag="mosaic-{mosaic}/state/batch-{batch}.complex",
    log:
        "<logs>/convert_batch/{mosaic}_{batch}.log",
    benchmark:
        "<benchmarks>/convert_batch/{mosaic}_{batch}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        tile_pool=1,
        mem_mb=session.convert_mb,
        runtime=session.tiles_min,
    params:
        folder="mosaic-{mosaic}/complex",
        illumination=session.illumination,
        instrument=session.instrument,
        settings=session.convert_settings,
        archive=session.archive_along("convert_batch"),
        matlab=session.matlab_for("convert"),
        unit=session.unit,
        version=session.version("convert"),
    message:
        "Reconstructing mosaic {wildcards.mosaic} batch {wildcards.batch}"
    script:
        "../scripts/convert/convert_batch.py"
