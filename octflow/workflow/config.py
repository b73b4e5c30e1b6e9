"""The configuration: one section per stage, checked before any job runs."""

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

import octflow
from octflow.core.errors import SettingsError
from octflow.core.experiment import Experiment
from octflow.core.instrument import Instrument
from octflow.core.names import Delivery, Modality
from octflow.core.record import Record
from octflow.core.settings import Settings
from octflow.stages.archive.settings import ArchiveSettings
from octflow.stages.convert.settings import ConvertSettings
from octflow.stages.ingest.settings import IngestSettings
from octflow.stages.process.settings import ProcessSettings
from octflow.stages.register.settings import RegisterSettings
from octflow.stages.stack.settings import StackSettings
from octflow.stages.stitch.settings import StitchSettings
from octflow.stages.upload.settings import UploadSettings
from octflow.stages.volume.settings import VolumeSettings
from octflow.workflow.instrument import calibrated, with_preset
from octflow.workflow.lanes import WatchSettings
from octflow.workflow.listeners import EventSettings


class Project(Settings):
    """Whose brain it is and where the results go."""

    name: str = Field("demo", pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$")
    """Name in records and reports."""
    subject: str = Field("demo", pattern=r"^[a-zA-Z0-9]+$")
    """BIDS subject label: letters and digits."""
    folder: str = "phantom/project"
    """Folder of all results; relative paths start at the folder of the Snakefile."""
    slice_thickness_um: float = Field(500, gt=0)
    """Thickness of a slice: the step of the microtome."""
    slices: int | None = Field(None, ge=1)
    """Slices the brain will have, for the percentages of `octflow status`; null: those begun."""


class Acquisition(Settings):
    """Where the microscope writes, and in which form."""

    folder: str = "phantom/raw"
    """Folder the raw tiles appear in; it is only read."""
    format: Delivery = "spectral"
    """spectral: uint16 with header; spectral_12bit: packed; complex: made by the microscope;
    complex_with_spectral, processed_with_spectral: the spectra to be archived, and complex tiles,
    or volumes and maps, to be used."""
    delivered: tuple[Modality, ...] = ("dBI", "aip", "mip", "ret", "ori")
    """Volumes and maps that the microscope writes of every tile, for processed_with_spectral; a
    tile is complete when all of them and its spectra are there."""
    slice_offset: int = 0
    """Added to the slice that file names count, where the microscope restarted its numbering."""
    interleaved: bool = False
    """One raw file holds all illuminations of a slice, A-line by A-line in the order of the table;
    its name has the number of any of their mosaics. For spectra only."""


class Config(Settings):
    """Everything a user decides."""

    project: Project = Project()
    acquisition: Acquisition = Acquisition()
    experiment: Experiment = Experiment()
    instrument: Instrument = Instrument()
    ingest: IngestSettings = IngestSettings()
    convert: ConvertSettings = ConvertSettings()
    process: ProcessSettings = ProcessSettings()
    archive: ArchiveSettings = ArchiveSettings()
    stitch: StitchSettings = StitchSettings()
    volume: VolumeSettings = VolumeSettings()
    register_: RegisterSettings = Field(RegisterSettings(), alias="register")
    stack: StackSettings = StackSettings()
    upload: UploadSettings = UploadSettings()
    watch: WatchSettings = WatchSettings()
    events: EventSettings = EventSettings()


PIPELINE = Path(octflow.__file__).parents[1]
"""Folder of the Snakefile of this checkout."""


def read_config(values: dict[str, Any], base: Path = PIPELINE) -> Config:
    """Check the values Snakemake read from the configuration files, and fill in what they name.

    Parameters
    ----------
    values : dict
        Sections.
    base : Path
        Folder of the Snakefile, where relative paths start.

    Raises
    ------
    SettingsError
        Names every wrong key with what was found.
    DataError
        The calibration table of the instrument cannot be used.
    """
    try:
        if isinstance(said := values.get("instrument"), dict):
            values = {**values, "instrument": with_preset(said, base)}
        config = Config.model_validate(values)
    except ValidationError as error:
        lines = [_said(one) for one in error.errors()]
        raise SettingsError("configuration: " + "; ".join(lines)) from None
    config = config.model_copy(update={"instrument": calibrated(config.instrument, base)})
    if config.acquisition.format == "processed_with_spectral":
        _check_delivered(config)
    _check_coordinates(config)
    return _laned(config) if config.acquisition.interleaved else config


def _said(error: ErrorDetails) -> str:
    """Say what is wrong with a key, in the words of who misspelt it."""
    key = ".".join(map(str, error["loc"]))
    unknown = error["type"] == "extra_forbidden"
    said = "there is no such key, `octflow config` prints all" if unknown else error["msg"]
    return f"{key}: found {error['input']!r}: {said}"


def _check_coordinates(config: Config) -> None:
    """Refuse coordinates of an illumination that there is not: they would be ignored."""
    names = [row.name for row in config.experiment.illuminations]
    if unknown := sorted(set(config.stitch.coordinates) - set(names)):
        raise SettingsError(
            f"stitch.coordinates: found {', '.join(unknown)}, expected {', '.join(names)}"
        )


def _check_delivered(config: Config) -> None:
    """Refuse what delivered volumes and maps, which are linked as they are, do not allow."""
    there, process = set(config.acquisition.delivered), config.process
    found = f"found {', '.join(config.acquisition.delivered) or 'nothing'}"
    if "dBI" not in there:
        raise SettingsError(f"acquisition.delivered: {found}, expected dBI among them")
    if process.roll_off_db != 0:
        raise SettingsError(
            f"process.roll_off_db: found {process.roll_off_db:g}, expected 0: "
            "the delivered dBI is linked as it is"
        )


def _laned(config: Config) -> Config:
    """Tell every illumination which A-lines of a raw file are its own."""
    if config.acquisition.format not in {"spectral", "spectral_12bit"}:
        raise SettingsError(
            f"acquisition.interleaved: found format {config.acquisition.format}, "
            "expected spectral or spectral_12bit"
        )
    return config.model_copy(update={"experiment": config.experiment.interleaved()})


def default_yaml() -> str:
    """Return every key with its default, as YAML."""
    head = "# Every key with its default. Generated by `octflow config --write config`; not read.\n"
    values = Config().model_dump(mode="json", by_alias=True)
    return head + yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def json_schema() -> str:
    """Return the JSON Schema of the configuration, for editors."""
    return json.dumps(Config.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


def record_schema() -> str:
    """Return the JSON Schema of a record, for readers of flags."""
    return json.dumps(Record.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


GENERATED = {
    "config.default.yaml": default_yaml,
    "schema.json": json_schema,
    "record.schema.json": record_schema,
}
"""Generated files of the folder config, and what makes them."""


def write_generated(folder: Path) -> list[Path]:
    """Write the generated files; return those that changed."""
    changed = []
    for name, text_of in GENERATED.items():
        text = text_of()
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed.append(path)
    return changed
