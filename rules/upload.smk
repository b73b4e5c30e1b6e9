"""Stage upload: products to an archive, which nothing waits for.

reads   archived raw tiles, stitched maps and volumes, registered slices; slices that have begun
writes  copies in the archive; flags that name each of them, with its digest there; with names of
        BIDS the files that describe dataset and volumes, in the folder dataset
"""


rule upload_batch:
    """Send the archived raw tiles of a batch to the archive."""
    input:
        archived=rules.archive_batch.output.flag,
    output:
        flag="mosaic-{mosaic}/state/batch-{batch}.uploaded",
    log:
        "<logs>/upload_batch/{mosaic}_{batch}.log",
    benchmark:
        "<benchmarks>/upload_batch/{mosaic}_{batch}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        upload_pool=1,
        mem_mb=1000,
        runtime=1440,
    params:
        subject=session.config.project.subject,
        settings=session.upload_settings,
        limits=session.upload_limits,
        access=session.upload_access,
        unit=session.unit,
        version=session.version("upload"),
    message:
        "Uploading the tiles of mosaic {wildcards.mosaic} batch {wildcards.batch}"
    script:
        "../scripts/upload/upload_batch.py"


rule upload_mosaic:
    """Send the maps of a mosaic to the archive."""
    input:
        stitched=rules.stitch_enface.output.flag,
    output:
        flag="mosaic-{mosaic}/state/mosaic-{mosaic}.uploaded",
    log:
        "<logs>/upload_mosaic/{mosaic}.log",
    benchmark:
        "<benchmarks>/upload_mosaic/{mosaic}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        upload_pool=1,
        mem_mb=1000,
        runtime=1440,
    params:
        subject=session.config.project.subject,
        settings=session.upload_settings,
        limits=session.upload_limits,
        access=session.upload_access,
        unit=session.unit,
        version=session.version("upload"),
    message:
        "Uploading the maps of mosaic {wildcards.mosaic}"
    script:
        "../scripts/upload/upload_mosaic.py"


rule upload_volume:
    """Send the volumes of a mosaic to the archive."""
    input:
        joined=rules.join_volumes.output.flag,
    output:
        flag="mosaic-{mosaic}/state/mosaic-{mosaic}.volume_uploaded",
    log:
        "<logs>/upload_volume/{mosaic}.log",
    benchmark:
        "<benchmarks>/upload_volume/{mosaic}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        upload_pool=1,
        mem_mb=1000,
        runtime=1440,
    params:
        subject=session.config.project.subject,
        folder="dataset",
        settings=session.described_settings,
        validate=session.upload_validates,
        limits=session.upload_limits,
        access=session.upload_access,
        unit=session.unit,
        version=session.version("upload"),
    message:
        "Uploading the volumes of mosaic {wildcards.mosaic}"
    script:
        "../scripts/upload/upload_volume.py"


rule upload_slice:
    """Send a registered slice to the archive."""
    input:
        registered=rules.register_slice.output.flag,
        volumes=collect(rules.register_volumes.output.flag, slice=session.with_volumes),
    output:
        flag="state/slice-{slice}.uploaded",
    log:
        "<logs>/upload_slice/{slice}.log",
    benchmark:
        "<benchmarks>/upload_slice/{slice}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        upload_pool=1,
        mem_mb=1000,
        runtime=1440,
    params:
        subject=session.config.project.subject,
        folder="dataset",
        settings=session.described_settings,
        validate=session.upload_validates,
        limits=session.upload_limits,
        access=session.upload_access,
        unit=session.unit,
        version=session.version("upload"),
    message:
        "Uploading slice {wildcards.slice}"
    script:
        "../scripts/upload/upload_slice.py"


rule upload_dataset:
    """Send the files that describe a dataset of BIDS."""
    input:
        started=collect(rules.start_slice.output.flag, slice=session.later("described")),
    output:
        flag="state/dataset.uploaded",
    log:
        "<logs>/upload_dataset/project.log",
    benchmark:
        "<benchmarks>/upload_dataset/project.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        upload_pool=1,
        mem_mb=1000,
        runtime=1440,
    params:
        subject=session.config.project.subject,
        folder="dataset",
        settings=session.described_settings,
        limits=session.upload_limits,
        access=session.upload_access,
        unit=session.unit,
        version=session.version("upload"),
    message:
        "Uploading what describes the dataset"
    script:
        "../scripts/upload/upload_dataset.py"
