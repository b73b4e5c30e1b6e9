"""Who is told of events: the section `events` of the configuration. It steers no product."""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from octflow.core.errors import SettingsError
from octflow.core.settings import Settings

_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$"


class Listener(Settings):
    """What all listeners have in common."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    """Name of its journal; another name is another listener, which is told everything again."""
    enabled: bool = True
    """The switch. What happens while it is off is delivered when it is on again."""
    types: tuple[str, ...] = ("linc.oct.*",)
    """Types of events it is told of; * stands for any characters."""
    timeout_s: float = Field(30.0, gt=0, le=600)
    """Longest time that one delivery may take."""
    first_wait_s: float = Field(1.0, gt=0)
    """Wait after the first delivery of an event that failed; it doubles from one to the next."""
    max_wait_s: float = Field(300.0, gt=0)
    """Longest wait between two deliveries of an event."""

    def wait_s(self, attempts: int) -> float:
        """Return the wait after so many attempts.

        Examples
        --------
        >>> listener = Listener(name="lab", first_wait_s=2, max_wait_s=10)
        >>> [listener.wait_s(n) for n in (1, 2, 3, 4)]
        [2.0, 4.0, 8.0, 10.0]
        """
        return min(self.max_wait_s, self.first_wait_s * 2.0 ** min(attempts - 1, 60))


class CommandListener(Listener):
    """A program that is started for every event, with the event as JSON on its standard input."""

    kind: Literal["command"]
    """command."""
    command: tuple[str, ...] = Field(min_length=1)
    """Program and arguments; no shell reads them."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables it gets besides those of octflow and OCTFLOW_EVENT_ID, _TYPE and _SUBJECT."""


class WebhookListener(Listener):
    """A server that every event is posted to."""

    kind: Literal["webhook"]
    """webhook."""
    url: str = Field(pattern=r"^https?://")
    """Address."""
    secret_env: str | None = None
    """Environment variable with the secret that deliveries are signed with; null: none."""
    secret_file: str | None = None
    """File with that secret, readable by its owner only (mode 600)."""


class SlackListener(Listener):
    """A channel of Slack; needs the extra `octflow[slack]`."""

    kind: Literal["slack"]
    """slack."""
    channel: str = Field(pattern=r"^[A-Z0-9]+$")
    """Id of the channel, not its name: pictures can be sent to ids only."""
    token_env: str | None = "SLACK_BOT_TOKEN"
    """Environment variable with the bot token."""
    token_file: str | None = None
    """File with the bot token, readable by its owner only (mode 600); goes before the variable."""
    api_url: str = Field("https://slack.com/api/", pattern=r"^https?://.*/$")
    """Address of the Web API."""
    say: tuple[Literal["progress", "stitched", "registered", "uploaded", "failed"], ...] = (
        "progress",
        "stitched",
        "registered",
        "uploaded",
        "failed",
    )
    """What is told: quarters of a mosaic's tiles, stitched mosaics, registered slices, both when
    they are uploaded, failures."""
    previews: bool = True
    """Send the picture of a stitched mosaic or a registered slice along."""
    quiet_hours: str | None = Field(None, pattern=_CLOCK)
    """Such as 22:00-07:00: messages wait until it is over; null: none."""
    quiet_failures: bool = False
    """Failures wait for the end of the quiet hours too."""
    timezone: str = "UTC"
    """Time zone of the quiet hours, such as America/New_York."""

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("expected a time zone such as America/New_York") from error
        return name


AnyListener = Annotated[
    CommandListener | WebhookListener | SlackListener, Field(discriminator="kind")
]


class EventSettings(Settings):
    """Who is told of what happens."""

    listeners: tuple[AnyListener, ...] = ()
    """Commands, webhooks and Slack channels; see docs/events.md."""
    poll_seconds: float = Field(10.0, gt=0)
    """Time between two looks at the flags."""
    attempts: int = Field(5, ge=1)
    """Deliveries of an event that `octflow events --once` tries; what is left waits for the next
    run. --follow goes on for ever."""

    @model_validator(mode="after")
    def _check_names(self) -> "EventSettings":
        names = [listener.name for listener in self.listeners]
        if len(set(names)) < len(names):
            raise SettingsError(f"events.listeners: found names {names}, expected distinct names")
        return self
