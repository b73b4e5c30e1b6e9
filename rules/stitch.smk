"""Stage stitch: tile coordinates, and en-face maps of whole mosaics.

reads   en-face maps of tiles (from process)
writes  one coordinate template per illumination, or refined ones per mosaic; stitched maps and the tissue mask per mosaic
"""


rule find_tilemap:
    """Find the coordinates of the tiles of an illumination."""
    input:
        processed=collect(
            rules.process_batch.output.flag,
            zip,
            mosaic=session.template_mosaics,
            batch=session.template_batches,
        ),
    output:
        flag="state/tilemap-{illumination}.found",
        tilemap="tilemap-{illumination}.j2",
        picture=report(
            "qc/tilemap-{illumination}.jpg",
            category="2 Mosaics",
            subcategory="Coordinates",
            labels={"illumination": "{illumination}", "shows": "tile coordinates"},
        ),
    log:
        "<logs>/find_tilemap/{illumination}.log",
    benchmark:
        "<benchmarks>/find_tilemap/{illumination}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        stitch_pool=1,
        mem_mb=4000,
        runtime=60,
    params:
        folder="tilemap-{illumination}",
        illumination=session.illumination,
        grids=session.template_grids,
        instrument=session.instrument,
        settings=session.coordinate_settings,
        unit=session.unit,
        version=session.version("stitch"),
    message:
        "Finding the tile coordinates of illumination {wildcards.illumination}"
    script:
        "../scripts/stitch/find_tilemap.py"


rule refine_tilemap:
    """Find the coordinates of the tiles of one mosaic around those of its illumination."""
    input:
        processed=collect(
            rules.process_batch.output.flag,
            batch=session.batches_of,
            allow_missing=True,
        ),
        found=collect(
            rules.find_tilemap.output.flag,
            illumination=session.illumination_of,
        ),
    output:
        flag="mosaic-{mosaic}/state/mosaic-{mosaic}.refined",
        tilemap="mosaic-{mosaic}/stitched/mosaic_{mosaic}_tilemap.j2",
        picture=report(
            "mosaic-{mosaic}/qc/tilemap.jpg",
            category="2 Mosaics",
            subcategory="Coordinates",
            labels={"mosaic": "{mosaic}", "shows": "tile coordinates"},
        ),
    log:
        "<logs>/refine_tilemap/{mosaic}.log",
    benchmark:
        "<benchmarks>/refine_tilemap/{mosaic}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        stitch_pool=1,
        mem_mb=4000,
        runtime=60,
    params:
        illumination=session.illumination,
        grid=session.grid,
        settings=session.refine_settings,
        unit=session.unit,
        version=session.version("stitch"),
    message:
        "Refining the tile coordinates of mosaic {wildcards.mosaic}"
    script:
        "../scripts/stitch/refine_tilemap.py"


rule stitch_enface:
    """Stitch the en-face maps of a mosaic."""
    input:
        processed=collect(
            rules.process_batch.output.flag,
            batch=session.batches_of,
            allow_missing=True,
        ),
        found=branch(
            session.refines,
            then=rules.refine_tilemap.output.flag,
            otherwise=collect(
                rules.find_tilemap.output.flag,
                illumination=session.illumination_of,
            ),
        ),
    output:
        flag="mosaic-{mosaic}/state/mosaic-{mosaic}.stitched",
        overview=report(
            "mosaic-{mosaic}/qc/enface.jpg",
            category="2 Mosaics",
            subcategory="En-face maps",
            labels={"mosaic": "{mosaic}", "shows": "stitched maps"},
        ),
    log:
        "<logs>/stitch_enface/{mosaic}.log",
    benchmark:
        "<benchmarks>/stitch_enface/{mosaic}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        stitch_pool=1,
        mem_mb=session.stitch_mb,
        runtime=session.stitch_min,
    params:
        folder="mosaic-{mosaic}/stitched",
        illumination=session.illumination,
        grid=session.grid,
        instrument=session.instrument,
        settings=session.settings("stitch"),
        unit=session.unit,
        version=session.version("stitch"),
    message:
        "Stitching the maps of mosaic {wildcards.mosaic}"
    script:
        "../scripts/stitch/stitch_enface.py"
