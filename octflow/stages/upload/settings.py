"""Section `upload` of the configuration."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from octflow.core.bids import RAW_NAME, check_template
from octflow.core.settings import Settings

Level = Literal["batch", "mosaic", "volume", "slice"]
"""What is uploaded: raw tiles of batches, maps of mosaics, their volumes, registered slices."""


class FolderTarget(Settings):
    """An archive that is a folder: of a mounted disk, or of a file server."""

    kind: Literal["folder"]
    """folder."""
    folder: str = Field(pattern=r"^/")
    """Where it is, from the root. It is never made: a disk that is not mounted is not to be
    mistaken for an empty archive."""
    mount: str | None = Field(None, pattern=r"^/")
    """Mount point that has to be mounted, where `folder` may be there without the disk; null:
    none."""


class DandiTarget(Settings):
    """A dandiset of an archive that is run with the software of DANDI; needs `octflow[dandi]`."""

    kind: Literal["dandi"]
    """dandi."""
    instance: str = Field(
        "dandi", pattern=r"^(dandi|dandi-sandbox|linc|linc-staging|https?://\S+[^/\s])$"
    )
    """dandi, dandi-sandbox, linc, linc-staging, or the address of the API of another one, such as
    https://api.archive.lab/api."""
    dandiset: str = Field(pattern=r"^\d{6}$")
    """Its six digits, in quotes; it has to be there."""


Target = Annotated[FolderTarget | DandiTarget, Field(discriminator="kind")]


class UploadAccess(Settings):
    """Where the key of the archive is. It is in no configuration, log, record or command line."""

    key_env: str | None = None
    """Environment variable with the API key; null: what the client of DANDI takes, such as
    LINC_API_KEY for linc, LINC_STAGING_API_KEY for linc-staging; DANDI_API_KEY for an address."""
    key_file: str | None = None
    """File with the API key, readable by its owner only (mode 600); goes before the variable."""


class UploadLimits(Settings):
    """How an upload goes about it; no product depends on it."""

    megabytes_per_s: float | None = Field(None, gt=0)
    """Of one job, and as many jobs run at a time as the upload pool has places; null: no limit."""
    timeout_s: float = Field(120.0, gt=0)
    """A server that gives no sign for so long does not answer."""
    attempts: int = Field(4, ge=1, le=20)
    """Attempts in one job, where a failure may pass by itself; what a server refuses is not tried
    again. Within each, the client repeats requests for about a minute."""
    first_wait_s: float = Field(10.0, ge=0)
    """Wait after the first attempt, less a random part; it doubles from one to the next."""
    longest_wait_s: float = Field(600.0, ge=0)
    """Longest wait between two attempts."""


class DatasetSettings(Settings):
    """What the files that describe a dataset of BIDS say, and no record knows."""

    name: str | None = None
    """Title of the dataset; null: the name of the project."""
    authors: tuple[str, ...] = ()
    """Who made it."""
    license: str | None = None
    """Such as CC-BY-4.0; null: not said."""
    species: str | None = Field(None, pattern=r"^[^\t\n]+$")
    """Binomial name, such as homo sapiens; null: not said."""
    sex: Literal["male", "female", "other"] | None = None
    """Of the subject; null: not said."""
    age_years: float | None = Field(None, ge=0, le=89)
    """Of the subject; BIDS has no ages above 89. null: not said."""
    sample_type: Literal["tissue", "whole organisms", "organoid", "technical sample"] = "tissue"
    """What slices are."""
    sample_environment: Literal["in vivo", "ex vivo", "in vitro"] = "ex vivo"
    """Where they were when they were scanned."""
    body_part: str = Field("BRAIN", pattern=r"^[A-Z]+$")
    """Part of the body."""


class UploadSettings(Settings):
    """Where products are sent once they are made."""

    target: Target | None = None
    """The archive; null: nothing is uploaded."""
    levels: tuple[Level, ...] = ("batch", "mosaic", "volume", "slice")
    """What is uploaded. Batches are their archived raw tiles (`archive.enabled`)."""
    names: Literal["project", "bids"] = "project"
    """project: as in the project folder, under the name of the project; bids: names of BIDS."""
    raw_name: str = RAW_NAME
    """Raw tiles by names of BIDS: a path with {subject}, {slice}, {mosaic}, {tile} and
    {illumination}, numbers with their digits as in {tile:04d}. Every tile has to get a name of its
    own, from which its ids can be read back."""
    dataset: DatasetSettings = DatasetSettings()
    """What the files say that describe a dataset with names of BIDS."""
    validate_: bool = Field(True, alias="validate")
    """With names of BIDS: volumes go before the validator of BIDS, and what it refuses is not sent;
    needs `octflow[dandi]`, for a folder too."""
    access: UploadAccess = UploadAccess()
    """Where the key of the archive is."""
    limits: UploadLimits = UploadLimits()
    """What an upload may take."""

    @field_validator("raw_name")
    @classmethod
    def _check_raw_name(cls, template: str) -> str:
        return check_template(template)
