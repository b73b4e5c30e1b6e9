"""Stage volume: focus, and the volumes of whole mosaics.

reads   volumes and surfaces of tiles (from process), coordinates and mask (from stitch)
writes  one focus map per illumination; one OME-Zarr per mosaic and modality
"""


rule find_focus:
    """Find the field curvature of an illumination."""
    input:
        processed=collect(
            rules.process_batch.output.flag,
            mosaic=session.template_of,
            batch=session.batches_of,
        ),
        found=rules.find_tilemap.output.flag,
    output:
        flag="state/focus-{illumination}.found",
        focus="focus-{illumination}.nii",
        picture=report(
            "qc/focus-{illumination}.jpg",
            category="3 Volumes",
            subcategory="Focus",
            labels={"illumination": "{illumination}", "shows": "field curvature"},
        ),
    log:
        "<logs>/find_focus/{illumination}.log",
    benchmark:
        "<benchmarks>/find_focus/{illumination}.tsv"
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
        instrument=session.instrument,
        settings=session.volume_settings,
        unit=session.unit,
        version=session.version("volume"),
    message:
        "Finding the focus of illumination {wildcards.illumination}"
    script:
        "../scripts/volume/find_focus.py"


rule stitch_share:
    """Stitch a share of the volume of one modality of a mosaic."""
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
        focused=collect(
            rules.find_focus.output.flag,
            illumination=session.illumination_of,
        ),
        stitched=rules.stitch_enface.output.flag,
    output:
        flag="mosaic-{mosaic}/state/mosaic-{mosaic}.{modality}_share-{share}",
    log:
        "<logs>/stitch_share/{mosaic}_{modality}_{share}.log",
    benchmark:
        "<benchmarks>/stitch_share/{mosaic}_{modality}_{share}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        stitch_pool=1,
        mem_mb=session.volume_mb,
        runtime=session.share_min,
    params:
        folder="mosaic-{mosaic}/stitched",
        illumination=session.illumination,
        grid=session.grid,
        instrument=session.instrument,
        modality="{modality}",
        settings=session.settings("volume"),
        share=session.share_number,
        unit=session.unit,
        version=session.version("volume"),
    message:
        "Stitching share {wildcards.share} of volume {wildcards.modality} of mosaic {wildcards.mosaic}"
    script:
        "../scripts/volume/stitch_share.py"


rule stitch_volume:
    """Stitch one modality of a mosaic as a volume."""
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
        focused=collect(
            rules.find_focus.output.flag,
            illumination=session.illumination_of,
        ),
        stitched=rules.stitch_enface.output.flag,
        shares=collect(
            rules.stitch_share.output.flag,
            share=session.volume_shares,
            allow_missing=True,
        ),
    output:
        flag="mosaic-{mosaic}/state/mosaic-{mosaic}.{modality}_stitched",
        overview=report(
            "mosaic-{mosaic}/qc/volume-{modality}.jpg",
            category="3 Volumes",
            subcategory="Mosaic {mosaic}",
            labels={"modality": "{modality}", "shows": "orthogonal cuts"},
        ),
    log:
        "<logs>/stitch_volume/{mosaic}_{modality}.log",
    benchmark:
        "<benchmarks>/stitch_volume/{mosaic}_{modality}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        stitch_pool=1,
        mem_mb=session.volume_mb,
        runtime=session.volume_min,
    params:
        folder="mosaic-{mosaic}/stitched",
        illumination=session.illumination,
        grid=session.grid,
        instrument=session.instrument,
        modality="{modality}",
        settings=session.volume_settings,
        unit=session.unit,
        version=session.version("volume"),
    message:
        "Stitching volume {wildcards.modality} of mosaic {wildcards.mosaic}"
    script:
        "../scripts/volume/stitch_volume.py"


rule join_volumes:
    """Join the flags of all volumes of a mosaic."""
    input:
        volumes=collect(
            rules.stitch_volume.output.flag,
            modality=session.volume_modalities,
            allow_missing=True,
        ),
    output:
        flag="mosaic-{mosaic}/state/mosaic-{mosaic}.volume_stitched",
    log:
        "<logs>/join_volumes/{mosaic}.log",
    benchmark:
        "<benchmarks>/join_volumes/{mosaic}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        stitch_pool=1,
        mem_mb=500,
        runtime=5,
    params:
        unit=session.unit,
        version=session.version("volume"),
    message:
        "All volumes of mosaic {wildcards.mosaic} are stitched"
    script:
        "../scripts/volume/join_volumes.py"
