"""Polarisation-sensitive OCT: from raw tiles to a stacked brain. One include per stage, in data order."""

from snakemake.utils import min_version

from octflow.workflow.session import open_session

min_version("9.25")


configfile: f"{workflow.basedir}/config/config.yaml"


session = open_session(config, workflow.basedir)


workdir: session.project


wildcard_constraints:
    slice=r"\d\d\d+",
    mosaic=r"\d\d\d+",
    batch=r"\d\d\d+",
    illumination=r"[a-zA-Z][a-zA-Z0-9]*",
    modality="dBI|R3D|O3D",
    share=r"\d\d\d+",


include: "rules/ingest.smk"
include: "rules/convert.smk"
include: "rules/process.smk"
include: "rules/archive.smk"
include: "rules/stitch.smk"
include: "rules/volume.smk"
include: "rules/register.smk"
include: "rules/stack.smk"
include: "rules/upload.smk"


workflow.localrules(*session.local_rules(workflow.global_resources))


rule all:
    """Make everything that can be made from what has been acquired."""
    default_target: True
    input:
        collect(rules.archive_batch.output.flag, zip, **session.zip_later("archived")),
        collect(rules.process_batch.output.flag, zip, **session.zip_later("batches")),
        collect(rules.stitch_enface.output.flag, mosaic=session.later("mosaics")),
        collect(rules.join_volumes.output.flag, mosaic=session.later("mosaics")),
        collect(rules.register_slice.output.flag, slice=session.later("registered")),
        collect(
            rules.register_volumes.output.flag,
            slice=session.later("volumes_registered"),
        ),
        branch(session.later("stacked"), then=rules.stack_slices.output.flag),
        collect(
            rules.upload_batch.output.flag,
            zip,
            **session.zip_later("uploaded_batches"),
        ),
        collect(
            rules.upload_mosaic.output.flag, mosaic=session.later("uploaded_mosaics")
        ),
        collect(
            rules.upload_volume.output.flag, mosaic=session.later("uploaded_volumes")
        ),
        collect(rules.upload_slice.output.flag, slice=session.later("uploaded_slices")),
        branch(session.later("described"), then=rules.upload_dataset.output.flag),


onsuccess:
    session.tell()


onerror:
    session.tell()
