"""Stage process: complex tiles to volumes and en-face maps.

reads   complex tiles (from convert)
writes  intensity, retardance and axis volumes, en-face maps and the surface of every tile
"""


rule process_batch:
    """Compute the volumes and maps of the tiles of a batch."""
    input:
        converted=rules.convert_batch.output.flag,
    output:
        flag="mosaic-{mosaic}/state/batch-{batch}.processed",
        overview=report(
            "mosaic-{mosaic}/qc/batch-{batch}.jpg",
            category="1 Tiles",
            subcategory="Mosaic {mosaic}",
            labels={"batch": "{batch}", "shows": "tiles"},
        ),
    log:
        "<logs>/process_batch/{mosaic}_{batch}.log",
    benchmark:
        "<benchmarks>/process_batch/{mosaic}_{batch}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        tile_pool=1,
        mem_mb=session.process_mb,
        runtime=session.tiles_min,
    params:
        folder="mosaic-{mosaic}/processed",
        illumination=session.illumination,
        instrument=session.instrument,
        settings=session.process_settings,
        archive=session.archive_along("process_batch"),
        matlab=session.matlab_for("process"),
        unit=session.unit,
        version=session.version("process"),
    message:
        "Processing mosaic {wildcards.mosaic} batch {wildcards.batch}"
    script:
        "../scripts/process/process_batch.py"
