"""Stage ingest: take in what the microscope wrote.

reads   raw tiles of the acquisition folder, which is never written to
writes  started flags of slices, mosaics and batches
"""


rule start_slice:
    """Note that a slice is being scanned."""
    output:
        flag="state/slice-{slice}.started",
    log:
        "<logs>/start_slice/{slice}.log",
    benchmark:
        "<benchmarks>/start_slice/{slice}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        tile_pool=1,
        mem_mb=500,
        runtime=5,
    params:
        mosaics=session.mosaic_numbers,
        unit=session.unit,
        version=session.version("ingest"),
    message:
        "Starting slice {wildcards.slice}"
    script:
        "../scripts/ingest/start_slice.py"


rule start_mosaic:
    """Note that a mosaic is being scanned, and how many tiles it will have."""
    input:
        slice_started=collect(rules.start_slice.output.flag, slice=session.slice_of),
    output:
        flag="mosaic-{mosaic}/state/mosaic-{mosaic}.started",
    log:
        "<logs>/start_mosaic/{mosaic}.log",
    benchmark:
        "<benchmarks>/start_mosaic/{mosaic}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        tile_pool=1,
        mem_mb=500,
        runtime=5,
    params:
        illumination=session.illumination,
        grid=session.grid,
        unit=session.unit,
        version=session.version("ingest"),
    message:
        "Starting mosaic {wildcards.mosaic}"
    script:
        "../scripts/ingest/start_mosaic.py"


rule start_batch:
    """List the raw tiles of a batch."""
    input:
        mosaic_started=rules.start_mosaic.output.flag,
    output:
        flag="mosaic-{mosaic}/state/batch-{batch}.started",
    log:
        "<logs>/start_batch/{mosaic}_{batch}.log",
    benchmark:
        "<benchmarks>/start_batch/{mosaic}_{batch}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        tile_pool=1,
        mem_mb=500,
        runtime=5,
    params:
        illumination=session.illumination,
        acquisition=session.settings("acquisition"),
        inventory=session.inventory,
        unit=session.unit,
        version=session.version("ingest"),
    message:
        "Taking in mosaic {wildcards.mosaic} batch {wildcards.batch}"
    script:
        "../scripts/ingest/start_batch.py"
