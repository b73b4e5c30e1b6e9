"""Stage stack: a brain out of slices.

reads   stitched maps and volumes of the reference illumination, registered slices
writes  stacked maps and axes, and one stacked volume
"""


rule stack_slices:
    """Stack all slices that are there."""
    input:
        stitched=collect(
            rules.stitch_enface.output.flag, mosaic=session.reference_mosaics
        ),
        volumes=collect(
            rules.join_volumes.output.flag, mosaic=session.reference_mosaics
        ),
        registered=collect(rules.register_slice.output.flag, slice=session.registered),
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
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        stitch_pool=1,
        mem_mb=8000,
        runtime=240,
    params:
        folder="stacked",
        reference=session.reference,
        slice_thickness_um=session.config.project.slice_thickness_um,
        instrument=session.instrument,
        settings=session.settings("stack"),
        unit=session.unit,
        version=session.version("stack"),
    message:
        "Stacking the slices"
    script:
        "../scripts/stack/stack_slices.py"
