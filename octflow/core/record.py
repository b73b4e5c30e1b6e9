"""The record: what one job read, did and wrote. A stage's flag file is such a record."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Product(_Part):
    """A file, or a Zarr folder, with its digest."""

    id: str = Field(pattern=r"^(sha256:[0-9a-f]{64}|xxh3:[0-9a-f]{32}|stat:.+)$")
    """Digest with the name of its algorithm; `stat:` where only size and time were looked at."""
    path: str
    """Relative to the project folder where it lies inside it."""
    bytes: int = Field(ge=0)
    """Size."""
    role: str
    """What it is: a modality such as aip, or tilemap, record, raw."""
    tile: int | None = None
    """Tile it belongs to."""


class Asset(_Part):
    """A product as an archive holds it."""

    id: str
    """What the archive calls it."""
    path: str
    """Where it is in the archive."""
    digest: str
    """Digest of what the archive holds, by the archive, with the name of its algorithm."""
    bytes: int = Field(ge=0)
    """Size."""
    url: str
    """Where people find it."""


class Unit(_Part):
    """The part of the sample a record speaks of."""

    project: str
    """Project name."""
    slice: int | None = None
    """Slice id."""
    mosaic: int | None = None
    """Mosaic id."""
    batch: int | None = None
    """Batch id."""
    illumination: str | None = None
    """Illumination."""
    modality: str | None = None
    """Modality."""
    share: int | None = None
    """Share of the shards of a volume."""


class TileFailure(_Part):
    """Why a tile gave no product."""

    tile: int
    """Tile id."""
    reason: str
    """One line: file, found, expected."""
    kind: str = "data"
    """data, transient, resource or code."""
    attempts: int = Field(1, ge=1)
    """How often it was tried in this job."""


class Backend(_Part):
    """What computed."""

    name: str
    """python, octave, matlab, matlab-engine."""
    version: str | None = None
    """Program with its version; null for Python itself."""
    id: str | None = None
    """Digest of the functions that it ran; null for Python itself."""


class Tiles(_Part):
    """What became of the tiles of a batch or a mosaic."""

    ok: list[int] = []
    """Tiles that gave their products."""
    failed: list[TileFailure] = []
    """Tiles that did not, and why."""
    missing: list[TileFailure] = []
    """Tiles declared missing, or failed in an earlier stage."""


class Gate(_Part):
    """A number held against its bound."""

    name: str
    """What was judged."""
    verdict: Literal["pass", "warn", "fail"]
    """The judgement."""
    value: float | None
    """The number; null where it could not be measured."""
    bound: float
    """What it was held against."""


class Code(_Part):
    """The program that made the products."""

    package: str
    """octflow."""
    version: str
    """Its version."""
    commit: str | None
    """Commit of the checkout, null outside one."""
    dirty: bool | None
    """Whether the checkout held changes."""
    stage_version: int
    """VERSION of the stage: raised when its products change."""
    backend: str
    """What computed: python, octave, matlab, matlab-engine."""
    backend_version: str | None = None
    """Program that computed, with its version; null for Python itself."""
    backend_id: str | None = None
    """Digest of the functions that it ran; null for Python itself."""
    environment: str
    """Digest of the names and versions of all installed packages."""


class Executor(_Part):
    """Where and by whom it ran."""

    host: str
    """Host name."""
    user: str
    """User name."""
    pid: int
    """Process id."""
    scheduler: str
    """local, slurm, ..."""
    scheduler_job: str | None
    """Job id of the scheduler."""
    partition: str | None = None
    """Partition (queue) of the scheduler."""
    node: str | None = None
    """Name by which the scheduler knows the host."""
    pool: str
    """tile, stitch, register or upload."""
    threads: int
    """Threads granted."""


class Failure(_Part):
    """Why an attempt failed."""

    kind: Literal["data", "transient", "resource", "code"]
    """What sort of failure."""
    message: str
    """One line."""


class Record(_Part):
    """One attempt of one job."""

    schema_: Literal["urn:octflow:record:1"] = Field("urn:octflow:record:1", alias="schema")
    """Name of this format."""
    record_id: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    """Digest of the record without this field."""
    stage: str
    """Stage."""
    rule: str
    """Rule."""
    unit: Unit
    """What it speaks of."""
    status: Literal["succeeded", "failed"]
    """How it ended."""
    error: Failure | None = None
    """Why it failed."""
    inputs: list[Product]
    """What was read."""
    outputs: list[Product]
    """What was written."""
    tiles: Tiles | None = None
    """What became of each tile, for batches and mosaics."""
    assets: list[Asset] = []
    """What an archive holds, of a job that uploads."""
    parameters: dict[str, Any]
    """Everything that steered the computation, as plain values."""
    parameter_hash: str
    """Digest of the parameters."""
    code: Code
    """The program."""
    executor: Executor
    """The place."""
    started_at: str
    """UTC, ISO 8601."""
    ended_at: str
    """UTC, ISO 8601."""
    wall_s: float = Field(ge=0)
    """Duration."""
    max_rss_bytes: int = Field(ge=0)
    """Peak memory of the process."""
    attempt: int = Field(ge=1)
    """Counted over all runs."""
    qc: dict[str, float | int | str | None] = {}
    """Quality numbers; the unit is in the name."""
    gates: list[Gate] = []
    """Judgements of them."""
    warnings: list[str] = []
    """What a person should look at."""

    model_config = ConfigDict(
        extra="forbid",
        use_attribute_docstrings=True,
        populate_by_name=True,
        serialize_by_alias=True,
    )


class Outcome(_Part):
    """What a stage function tells of its work; the adapter makes the record of it."""

    inputs: list[Product] = []
    """What was read, besides the flags."""
    outputs: list[Product] = []
    """What was written."""
    tiles: Tiles | None = None
    """What became of each tile."""
    assets: list[Asset] = []
    """What an archive holds."""
    qc: dict[str, float | int | str | None] = {}
    """Quality numbers; the unit is in the name."""
    gates: list[Gate] = []
    """Judgements."""
    warnings: list[str] = []
    """What a person should look at."""
    backend: Backend | None = None
    """What computed; where nothing is said, what was asked for."""
