"""Stage register: the illuminations of a slice onto each other, and 3-D fibre axes from them.

reads   stitched maps of all illuminations of a slice (from stitch)
writes  3-D axis maps, birefringence, .mat and pictures of the slice; on request volumes of all
        illuminations on the same voxels, and the fibres of every voxel (from volume, too)
"""


rule register_slice:
    """Register the illuminations of a slice and compute its 3-D fibre axes."""
    input:
        stitched=collect(rules.stitch_enface.output.flag, mosaic=session.mosaics_of),
    output:
        flag="state/slice-{slice}.registered",
        overview=report(
            "qc/slice-{slice}.jpg",
            category="4 Slices",
            labels={"slice": "{slice}", "shows": "registration and 3-D axis"},
        ),
    log:
        "<logs>/register_slice/{slice}.log",
    benchmark:
        "<benchmarks>/register_slice/{slice}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 2
    resources:
        register_pool=1,
        mem_mb=session.register_mb,
        runtime=session.register_min,
    params:
        folder="registered",
        illuminations=session.illuminations,
        slice_id=session.slice_number,
        instrument=session.instrument,
        settings=session.register_settings,
        matlab=session.matlab_for("register"),
        unit=session.unit,
        version=session.version("register"),
    message:
        "Registering slice {wildcards.slice}"
    script:
        "../scripts/register/register_slice.py"


rule register_volumes:
    """Bring the volumes of a slice's illuminations together, on request."""
    input:
        registered=rules.register_slice.output.flag,
        joined=collect(rules.join_volumes.output.flag, mosaic=session.mosaics_of),
    output:
        flag="state/slice-{slice}.volumes_registered",
        overview=report(
            "qc/slice-{slice}-volumes.jpg",
            category="4 Slices",
            labels={"slice": "{slice}", "shows": "registration in depth"},
        ),
    log:
        "<logs>/register_volumes/{slice}.log",
    benchmark:
        "<benchmarks>/register_volumes/{slice}.tsv"
    priority: session.priority
    conda:
        "../envs/octflow.yaml"
    threads: 1
    resources:
        register_pool=1,
        mem_mb=session.register_volumes_mb,
        runtime=session.register_volumes_min,
    params:
        folder="registered",
        illuminations=session.illuminations,
        slice_id=session.slice_number,
        maps_depth_px=session.maps_depth_px,
        instrument=session.instrument,
        settings=session.register_volumes_settings,
        unit=session.unit,
        version=session.version("register"),
    message:
        "Registering the volumes of slice {wildcards.slice}"
    script:
        "../scripts/register/register_volumes.py"
