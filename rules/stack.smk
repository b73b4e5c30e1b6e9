"""Stage stack: a brain out of slices.

reads   stitched maps and volumes of the reference illumination, registered slices
writes  how every slice lies against one before; stacked maps and axes, and one stacked volume
"""


rule place_slice:
    """Find how a slice lies against one before."""
    input:
        stitched=collect(
            rules.stitch_enface.output.flag, mosaic=session.compared_mosaics
        ),
    output:
        flag="state/slice-{slice}.placed",
    log:
        "<logs>/place_slice/{slice}.log",
    benchmark:
        "<benchmarks>/place_slice/{slice}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        register_pool=1,
        mem_mb=session.place_mb,
        runtime=session.place_min,
    params:
        folder="stacked/steps",
        reference=session.reference,
        slice_id=session.slice_number,
        settings=session.place_settings,
        unit=session.unit,
        version=session.version("stack"),
    message:
        "Placing slice {wildcards.slice}"
    script:
        "../scripts/stack/place_slice.py"


rule stack_slices:
    """Stack all slices that are there."""
    input:
        stitched=collect(
            rules.stitch_enface.output.flag,
            mosaic=session.later("reference_mosaics"),
        ),
        volumes=collect(
            rules.join_volumes.output.flag,
            mosaic=session.later("reference_mosaics"),
        ),
        registered=collect(
            rules.register_slice.output.flag, slice=session.later("stacked_axes")
        ),
        placed=collect(rules.place_slice.output.flag, slice=session.later("placed")),
    output:
        flag="state/project.stacked",
        overview=report(
            "qc/stack.jpg",
            category="5 Stack",
            labels={"shows": "stacked maps and cuts"},
        ),
    log:
        "<logs>/stack_slices/project.log",
    benchmark:
        "<benchmarks>/stack_slices/project.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        stitch_pool=1,
        mem_mb=session.stack_mb,
        runtime=session.stack_min,
    params:
        folder="stacked",
        reference=session.reference,
        slice_thickness_um=session.config.project.slice_thickness_um,
        instrument=session.instrument,
        settings=session.stack_settings,
        unit=session.unit,
        version=session.version("stack"),
    message:
        "Stacking the slices"
    script:
        "../scripts/stack/stack_slices.py"
