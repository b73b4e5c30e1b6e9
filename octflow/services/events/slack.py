"""Messages to a channel of Slack, through its official library."""

from datetime import datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from octflow.core.errors import SettingsError
from octflow.io.secret import read_secret
from octflow.services.events.catalogue import PREFIX, PROGRESSED, Event
from octflow.services.events.senders import DeliveryError, seconds_of
from octflow.workflow.listeners import SlackListener

try:
    from slack_sdk import WebClient
    from slack_sdk.errors import SlackApiError, SlackClientError
except ImportError:  # pragma: no cover - the extra is not installed
    WebClient = None  # type: ignore[assignment,misc]

TOPICS = {
    PROGRESSED: "progress",
    f"{PREFIX}mosaic.stitched": "stitched",
    f"{PREFIX}slice.registered": "registered",
    f"{PREFIX}mosaic.uploaded": "uploaded",
    f"{PREFIX}mosaic.volume_uploaded": "uploaded",
    f"{PREFIX}slice.uploaded": "uploaded",
}
"""What `say` calls the types; failures of all levels are `failed`."""

PREVIEW = "overview"
"""Role of the picture that shows a whole unit."""

MOST_LINKS = 20
"""Uploaded assets that a message names; how many more there are is said."""


class SlackSender:
    """Tell a channel what people want to know; a failing job is told once, not per retry."""

    def __init__(self, listener: SlackListener) -> None:
        if WebClient is None:
            raise SettingsError(
                f"listener {listener.name}: found no slack_sdk, expected octflow[slack]"
            )
        if not (token := read_secret(listener.token_env, listener.token_file)):
            raise SettingsError(
                f"listener {listener.name}: found neither token_env nor token_file, "
                "expected one of them"
            )
        self.listener = listener
        self._client = WebClient(
            token, base_url=listener.api_url, timeout=max(1, round(listener.timeout_s))
        )

    def wants(self, event: Event) -> bool:
        """Say whether the channel is told of an event."""
        topic = topic_of(event)
        return topic in self.listener.say and not event.data.get("again", False)

    def holds(self, event: Event, now: datetime) -> bool:
        """Say whether it is night for this event."""
        if topic_of(event) == "failed" and not self.listener.quiet_failures:
            return False
        hours = self.listener.quiet_hours
        zone = ZoneInfo(self.listener.timezone)
        return hours is not None and is_quiet(now.astimezone(zone).time(), hours)

    def send(self, event: Event) -> None:
        """Send the message, with its picture where there is one."""
        text = text_of(event)
        picture = preview_of(event) if self.listener.previews else None
        try:
            if picture is None or not self._upload(picture, text, event):
                self._client.chat_postMessage(channel=self.listener.channel, text=text)
        except SlackApiError as error:
            raise _not_taken(error) from None
        except (SlackClientError, OSError) as error:
            raise DeliveryError(f"no reply: {type(error).__name__}") from None

    def _upload(self, picture: Path, text: str, event: Event) -> bool:
        """Send a picture with the text; False where Slack refuses pictures but may take words."""
        try:
            self._client.files_upload_v2(
                channel=self.listener.channel,
                file=str(picture),
                filename=picture.name,
                title=event.subject,
                initial_comment=text,
            )
        except SlackApiError as error:
            if error.response.status_code != 200:
                raise
            return False
        return True


def _not_taken(error: Any) -> DeliveryError:  # noqa: ANN401 - SlackApiError is untyped
    reply = error.response
    wait_s = seconds_of(reply.headers.get("Retry-After"))
    reason = reply.get("error") if reply.status_code == 200 else f"status {reply.status_code}"
    return DeliveryError(f"Slack: {reason}", wait_s)


def topic_of(event: Event) -> str | None:
    """Return what `say` calls an event; None for those nobody is told of."""
    failed = event.type.endswith((".failed", ".given_up"))
    return "failed" if failed else TOPICS.get(event.type)


def is_quiet(now: time, hours: str) -> bool:
    """Say whether a time lies in quiet hours, which may go over midnight.

    Examples
    --------
    >>> [is_quiet(time(hour), "22:00-07:00") for hour in (21, 22, 3, 7)]
    [False, True, True, False]
    >>> [is_quiet(time(hour), "12:00-13:00") for hour in (11, 12, 13)]
    [False, True, False]
    """
    start, end = (time.fromisoformat(part) for part in hours.split("-"))
    return start <= now < end if start <= end else now >= start or now < end


def text_of(event: Event) -> str:
    """Return the message of an event.

    Words of files and errors stay words: the signs that Slack gives a meaning are escaped.
    """
    project, totals = event.data["project"]["name"], event.data["totals"]
    head = f"{project}, {event.subject}"
    topic = topic_of(event)
    links = ""
    if topic == "progress":
        said = f"{totals['percent']} % ({totals['tiles_done']} of {totals['tiles_expected']} tiles)"
    elif topic == "failed":
        error = event.data.get("error", {})
        word = event.type.rsplit(".", 1)[1].replace("_", " ")
        said = f"{event.data['rule']} {word}: {error.get('message', 'no reason recorded')}"
    else:
        said = _made(event, topic or event.type)
        links = _links(event.data["assets"])
    return _plain(f"{head}: {said}") + links


def _plain(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _links(assets: list[dict[str, Any]]) -> str:
    """Return a line for every asset: a link, or the path where Slack makes no links."""
    lines = [
        f"<{_plain(asset['url'])}|{_plain(asset['path'])}>"
        if asset["url"].startswith("http")
        else _plain(asset["url"])
        for asset in assets[:MOST_LINKS]
    ]
    more = [f"and {len(assets) - MOST_LINKS} more"] if len(assets) > MOST_LINKS else []
    return "".join(f"\n{line}" for line in (*lines, *more))


def _made(event: Event, word: str) -> str:
    totals = event.data["totals"]
    lost = totals.get("tiles_failed", 0) + totals.get("tiles_missing", 0)
    parts = [word, *([f"{lost} tiles are holes"] if lost else []), *event.data["warnings"]]
    return "; ".join(parts)


def preview_of(event: Event) -> Path | None:
    """Return the picture of a stitched mosaic or a registered slice, if it is there."""
    if topic_of(event) not in {"stitched", "registered"}:
        return None
    folder = Path(event.data["project"]["folder"])
    paths = (folder / p["path"] for p in event.data["outputs"] if p["role"] == PREVIEW)
    return next((path for path in paths if path.is_file()), None)
