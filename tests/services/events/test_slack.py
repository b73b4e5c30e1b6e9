from datetime import UTC, datetime

import pytest

from octflow.core.errors import SettingsError
from octflow.core.layout import flag
from octflow.core.record import Asset, Tiles
from octflow.services.events.given_up import GivenUp, write_given_up
from octflow.services.events.service import Events
from octflow.services.events.slack import MOST_LINKS, SlackSender

from loopback import form

TOKEN = "xoxb-not-a-token"


@pytest.fixture
def slack(server, monkeypatch):
    """A channel on the loopback server; what is said changes its settings."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
    return lambda **said: {
        "kind": "slack",
        "name": "slack",
        "channel": "C1",
        "api_url": server.url,
        **said,
    }


def messages(server):
    return [form(request)["text"] for request in server.came_to("/chat.postMessage")]


def test_quarters_of_a_mosaic_are_told(project, server, slack):
    for batch in (1, 2, 3, 4):
        project.process(batch)
    assert project.deliver(slack()) == 0
    assert messages(server) == [
        f"I46, mosaic-001: {percent} % ({tiles} of 8 tiles)"
        for percent, tiles in ((25, 2), (50, 4), (75, 6), (100, 8))
    ]


def test_the_token_is_sent_and_kept_nowhere(project, server, slack, caplog):
    project.fail("start_slice", slice=1)
    server.faults = [500, "invalid_auth"]
    project.deliver(slack())
    (request,) = server.came_to("/chat.postMessage")
    assert request["headers"]["Authorization"] == f"Bearer {TOKEN}"
    kept = b"".join(p.read_bytes() for p in project.folder.rglob("*") if p.is_file())
    assert TOKEN.encode() not in kept
    assert "Slack: invalid_auth" in caplog.text
    assert TOKEN not in caplog.text


def test_a_token_that_nobody_gives_is_refused_before_anything_is_sent(project, server, slack):
    project.fail("start_slice", slice=1)
    with pytest.raises(SettingsError, match="slack: found neither token_env nor token_file"):
        project.deliver(slack(token_env=None))
    assert server.requests == []


@pytest.mark.parametrize(
    ("rule", "unit", "word"),
    [
        ("stitch_enface", {"slice": 1, "mosaic": 1}, "I46, mosaic-001: stitched"),
        ("register_slice", {"slice": 1}, "I46, slice-001: registered"),
    ],
)
def test_a_picture_comes_with_its_words(project, server, slack, rule, unit, word):
    project.succeed(rule, outputs=[project.picture()], **unit)
    assert project.deliver(slack()) == 0
    (uploaded,) = server.came_to("/upload")
    assert b"picture" in uploaded["body"]
    (completed,) = server.came_to("/files.completeUploadExternal")
    assert form(completed)["initial_comment"] == word
    assert form(completed)["channel_id"] == "C1"
    assert messages(server) == []


def test_words_go_without_a_picture_that_slack_refuses_or_that_is_gone(project, server, slack):
    gone = project.picture("gone.jpg")
    (project.folder / "gone.jpg").unlink()
    project.succeed("stitch_enface", slice=1, mosaic=1, outputs=[gone])
    assert project.deliver(slack()) == 0
    project.succeed("stitch_enface", slice=1, mosaic=2, outputs=[project.picture()])
    server.faults = ["missing_scope"]
    assert project.deliver(slack()) == 0
    assert messages(server) == ["I46, mosaic-001: stitched", "I46, mosaic-002: stitched"]


def test_holes_are_counted_in_the_message(project, server, slack):
    lost = [{"tile": 3, "reason": "laser off"}]
    tiles = Tiles.model_validate({"ok": [1, 2], "failed": lost, "missing": lost})
    project.succeed("stitch_enface", slice=1, mosaic=1, tiles=tiles)
    project.deliver(slack())
    assert messages(server) == ["I46, mosaic-001: stitched; 2 tiles are holes"]


def test_a_failing_job_is_told_once_and_not_per_retry(project, server, slack):
    for number in (1, 2, 3):
        project.fail("process_batch", "<!channel> & more", number, slice=1, mosaic=1, batch=2)
        project.deliver(slack())
    said = "process_batch failed: OSError: &lt;!channel&gt; &amp; more"
    assert messages(server) == [f"I46, mosaic-001/batch-002: {said}"]


def test_giving_up_is_told_besides_and_failures_after_it_are_not(project, server, slack):
    project.fail("stitch_enface", "no coordinates", slice=1, mosaic=1, illumination="normal")
    project.deliver(slack())
    target = {"target": str(flag("stitch_enface", mosaic=1)), "lane": "stitch", "failures": 5}
    at = {"first_failed_at": "2099-01-01T00:00:00Z", "given_up_at": "2099-01-01T00:10:00Z"}
    log = {"status": 1, "log": "watch/lane-stitch.log", "host": "lab"}
    write_given_up(project.folder, [GivenUp(**target, **at, **log)])
    project.deliver(slack())
    project.fail("stitch_enface", "again", 2, slice=1, mosaic=1, illumination="normal")
    project.deliver(slack())
    said = "given up: after 5 attempts, exit status 1; see watch/lane-stitch.log"
    first, second = messages(server)
    assert first == "I46, mosaic-001: stitch_enface failed: OSError: no coordinates"
    assert second == f"I46, mosaic-001: stitch_enface {said}"


def test_an_archive_that_refuses_all_uploads_is_told_once_until_it_takes_one(
    project, server, slack
):
    refused = "dandiset 000052 of linc: found a key it does not know"
    for mosaic in (1, 2, 3):
        project.fail("upload_mosaic", refused, slice=1, mosaic=mosaic)
        project.deliver(slack())
    project.fail("upload_slice", "slice.nii: found 1 byte", slice=1)
    project.fail("stitch_enface", refused, slice=1, mosaic=1)
    project.deliver(slack())
    project.succeed("upload_mosaic", slice=1, mosaic=1)
    project.deliver(slack(say=["failed"]))
    project.fail("upload_mosaic", refused, 2, slice=1, mosaic=3)
    project.fail("upload_mosaic", refused, slice=1, mosaic=4)
    project.deliver(slack())
    told = [message.split(" failed: OSError: ")[0] for message in messages(server)]
    told = [message for message in told if "upload_" in message or "stitch_" in message]
    assert told == [
        "I46, mosaic-001: upload_mosaic",
        *("I46, slice-001: upload_slice", "I46, mosaic-001: stitch_enface"),
        "I46, mosaic-004: upload_mosaic",
    ]


def test_uploads_that_are_given_up_are_told_once(project, server, slack):
    told = {"lane": "upload", "failures": 5, "status": 1, "log": "watch/lane-upload.log"}
    at = {"first_failed_at": "2099-01-01T00:00:00Z", "given_up_at": "2099-01-01T00:10:00Z"}
    flags = [flag("upload_batch", mosaic=1, batch=batch) for batch in (1, 2)]
    others = [GivenUp(target=str(one), host="lab", **told, **at) for one in flags]
    write_given_up(project.folder, others)
    project.deliver(slack())
    (message,) = messages(server)
    assert "mosaic-001/batch-00" in message


def test_slack_that_is_down_or_hangs_is_tried_again(project, server, slack):
    project.fail("start_slice", slice=1)
    server.faults = [500, "hang", "fatal_error"]
    assert project.deliver(slack()) == 0
    assert len(messages(server)) == 1


def test_quiet_hours_hold_messages_but_not_failures(project, server, slack):
    now = datetime.now(UTC)
    hours = f"{now:%H}:00-{(now.hour + 2) % 24:02d}:00"
    project.process(1)
    project.fail("start_slice", slice=1)
    assert project.deliver(slack(quiet_hours=hours)) == 1
    assert len(messages(server)) == 1
    assert project.deliver(slack()) == 0
    assert messages(server)[1] == "I46, mosaic-001: 25 % (2 of 8 tiles)"


def test_quiet_hours_follow_the_time_zone(project, slack):
    project.process(1)
    listener = slack(quiet_hours="22:00-07:00", timezone="America/New_York")
    with Events(project.config(), project.folder) as events:
        events.scan()
        sender = SlackSender(project.config(listener).events.listeners[0])
        event = events._log.events[1]
    winter = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (2, 4, 11, 13)]
    assert [sender.holds(event, now) for now in winter] == [False, True, True, False]


def test_what_is_not_asked_for_is_not_said(project, server, slack):
    project.process(1)
    project.succeed("stitch_enface", slice=1, mosaic=1, outputs=[project.picture()])
    assert project.deliver(slack(say=["stitched"], previews=False)) == 0
    assert messages(server) == ["I46, mosaic-001: stitched"]
    assert server.came_to("/upload") == []


def asset(name, url):
    return Asset(id="1", path=name, digest="d:1", bytes=1, url=url)


def test_what_is_uploaded_is_told_with_links(project, server, slack):
    web = asset("p/<aip>.nii", "https://archive.lab/1?a=1&b=2")
    disk = asset("p/aip.nii", "file:///mnt/disk/p/aip.nii")
    project.succeed("upload_mosaic", slice=1, mosaic=1, assets=[web, disk])
    assert project.deliver(slack()) == 0
    assert messages(server) == [
        "I46, mosaic-001: uploaded\n"
        "<https://archive.lab/1?a=1&amp;b=2|p/&lt;aip&gt;.nii>\n"
        "file:///mnt/disk/p/aip.nii"
    ]


def test_a_message_names_so_many_links_and_counts_the_others(project, server, slack):
    assets = [asset(f"p/{n}.nii", f"https://archive.lab/{n}") for n in range(MOST_LINKS + 3)]
    project.succeed("upload_slice", slice=1, assets=assets)
    assert project.deliver(slack()) == 0
    lines = messages(server)[0].splitlines()
    assert len(lines) == 1 + MOST_LINKS + 1
    assert lines[-1] == "and 3 more"
