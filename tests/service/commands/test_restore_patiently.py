"""A folder, through a server that does not do as it should."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_service import FakeService, faking, problem, says
from service_bench import wait_for

from service import cli

PAGE = says(404, "<h1>Not found</h1>")


@pytest.fixture
def service() -> Iterator[FakeService]:
    with faking() as service:
        yield service


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("unseam.patience.FIRST_PAUSE_S", 0.02)
    Path("in").mkdir()
    for n in range(5):
        Path(f"in/{n}.png").write_bytes(b"picture %d" % n)


def restore(service: FakeService, *arguments: str, at_once: int = 1) -> int:
    command = ["restore", "in", "-o", "out", "--task", "derain", "--url", service.url, "--at-once", str(at_once)]
    return cli.main([*command, *arguments])


def results() -> list[str]:
    return sorted(path.name for path in Path("out").iterdir())


def test_a_server_that_is_full_for_a_while_is_waited_for(
    service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.script("POST restore", problem(429, "overloaded", Retry_After="1"), problem(503, "not-ready"))
    assert restore(service) == 0
    said = capsys.readouterr().err
    assert "It is overloaded. (trying again for up to 60 minutes; Ctrl-C ends that" in said
    assert said.count("trying again") == 1  # and not at each attempt
    assert "5 restored in" in said


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (problem(429, "overloaded", Retry_After="90"), "It is overloaded."),
        (problem(503, "storage-full"), "It is storage-full."),
        (says(502, "Bad Gateway"), "answered 502"),
        (says(500, "Oh"), "answered 500"),
        (PAGE, "answered 404"),
        (problem(404, "not-found"), "It is not-found."),
    ],
)
def test_a_server_that_stays_full_or_is_another_ends_the_run_and_resume_goes_on(
    service: FakeService, capsys: pytest.CaptureFixture[str], script: object, words: str
) -> None:
    first_goes_well = [lambda handler: handler.post_restore()]
    service.script("POST restore", *first_goes_well, *[script] * 3)  # type: ignore[list-item]
    assert restore(service, "--patience", "0") == 1
    said = capsys.readouterr().err
    assert words in said
    assert "1 restored, 4 not done (--resume goes on)" in said
    assert service.count("POST restore") <= 3  # behind a 502 there may be a job, which is asked for once more
    service.forget_scripts()
    assert restore(service, "--resume") == 0
    assert results() == [f"{n}.png" for n in range(5)]


@pytest.mark.parametrize(
    "script", [problem(413, "image-too-large"), problem(415, "unsupported-image"), problem(422, "bad-image")]
)
def test_a_picture_that_is_refused_does_not_keep_the_others(
    service: FakeService, capsys: pytest.CaptureFixture[str], script: object
) -> None:
    service.script("POST restore", script)  # type: ignore[arg-type]
    assert restore(service) == 1
    assert "4 restored, 1 failed in" in capsys.readouterr().err
    assert results() == ["1.png", "2.png", "3.png", "4.png"]


def test_pictures_whose_jobs_fail_for_good_are_failures(
    service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.error = {"type": "urn:unseam:problem:internal-error", "status": 500, "detail": "Something went wrong."}
    assert restore(service) == 1
    assert "5 failed in" in capsys.readouterr().err


def test_jobs_that_fail_of_a_full_disk_end_the_run(service: FakeService, capsys: pytest.CaptureFixture[str]) -> None:
    service.error = {"type": "urn:unseam:problem:storage-full", "status": 503, "detail": "The disk is full."}
    assert restore(service, "--patience", "0") == 1
    said = capsys.readouterr().err
    assert "The disk is full." in said
    assert "5 not done (--resume goes on)" in said


@pytest.mark.parametrize("option", ["--patience", "--at-once"])
def test_patience_and_pictures_at_once_are_for_servers(capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert cli.main(["restore", "in", "-o", "out", "--task", "derain", option, "5"]) == 2
    assert f"{option} is for a server" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        cli.main(["restore", "in", "-o", "out", "--task", "derain", "--url", "http://localhost", option, "-1"])


def test_no_picture_at_once_is_refused_in_one_line(service: FakeService, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        restore(service, at_once=0)
    said = capsys.readouterr().err
    assert "--at-once: takes 1 or more, not 0" in said
    assert said.count("\n") == 1
    assert not service.asked


@pytest.mark.parametrize("at_once", [1, 3])
def test_so_many_pictures_are_under_way_at_once(
    service: FakeService, capsys: pytest.CaptureFixture[str], at_once: int
) -> None:
    def slow(handler: Any) -> None:
        time.sleep(0.3)
        handler.get_events()

    service.seconds = 0.05
    service.script("GET events", slow)  # the first picture is not the first that is done
    for n in range(5, 12):
        Path(f"in/{n:02}.png").write_bytes(b"picture %d" % n)
    assert restore(service, "--json", at_once=at_once) == 0
    assert service.most == at_once
    report = json.loads(capsys.readouterr().out)
    sources = [entry["input"] for entry in report["restored"]]
    assert sources == sorted(sources)
    assert len(sources) == 12
    for source in Path("in").iterdir():
        assert Path("out", source.name).read_bytes() == source.read_bytes()[::-1]
    assert not service.present


def test_one_picture_of_several_at_once_that_is_refused_does_not_keep_the_others(
    service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.script("POST restore", problem(422, "bad-image"))
    assert restore(service, at_once=3) == 1
    assert "4 restored, 1 failed in" in capsys.readouterr().err
    assert len(results()) == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_told_to_end_leaves_no_job_and_nothing_half(
    service: FakeService, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest, number: signal.Signals
) -> None:
    heeded(request, number)
    service.ready.clear()

    def end() -> None:
        wait_for(lambda: service.count("GET events") == 3)
        os.kill(os.getpid(), number)

    threading.Thread(target=end).start()
    assert restore(service, at_once=3) == cli.INTERRUPTED
    assert "5 not done (--resume goes on)" in capsys.readouterr().err
    assert len(service.jobs) == 3
    assert not service.present
    assert results() == []
    assert signal.getsignal(number) is signal.default_int_handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_told_to_end_while_a_result_is_deleted_deletes_it(
    service: FakeService, request: pytest.FixtureRequest, number: signal.Signals
) -> None:
    def end(handler: Any) -> None:
        os.kill(os.getpid(), number)
        handler.answer(502, b"Bad Gateway")

    heeded(request, number)
    service.script("DELETE job", end)
    assert restore(service) == cli.INTERRUPTED
    assert service.count("DELETE job") == 2
    assert not service.present


def heeded(request: pytest.FixtureRequest, number: signal.Signals) -> None:
    """Have a signal heeded: who starts this in the background has it ignore interrupts."""
    for each in {signal.SIGINT, number}:
        before = signal.signal(each, signal.default_int_handler)
        request.addfinalizer(lambda each=each, before=before: signal.signal(each, before))


def test_a_server_that_is_not_there_is_told_of_at_once_with_how_long_it_is_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["restore", "in", "-o", "out", "--task", "derain", "--url", "http://127.0.0.1:9", "--patience", "1"]
    assert cli.main(command) == 1
    first, *_ = capsys.readouterr().err.splitlines()
    assert first == (
        "http://127.0.0.1:9 cannot be reached: nothing listens there (connection refused) "
        "(trying again for up to 1 s; Ctrl-C ends that, --patience 0 does not wait)"
    )


def test_a_picture_that_vanishes_before_its_turn_does_not_keep_the_others(
    service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    def removing(handler: Any) -> None:
        Path("in/3.png").unlink()
        handler.post_restore()

    service.script("POST restore", removing)
    assert restore(service) == 1
    said = capsys.readouterr().err
    assert "in/3.png: in/3.png cannot be read: No such file or directory" in said
    assert "4 restored, 1 failed in" in said


def test_a_key_that_cannot_be_sent_is_said_in_one_line(
    service: FakeService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNSEAM_API_KEY", "clé")
    assert restore(service) == 2
    said = capsys.readouterr().err
    assert "not visible ASCII" in said
    assert "clé" not in said
