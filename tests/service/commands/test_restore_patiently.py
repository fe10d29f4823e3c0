"""A folder, through a server that does not do as it should."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_service import FakeService, faking, problem, says

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


def restore(service: FakeService, *arguments: str) -> int:
    return cli.main(["restore", "in", "-o", "out", "--task", "derain", "--url", service.url, *arguments])


def results() -> list[str]:
    return sorted(path.name for path in Path("out").iterdir())


def test_a_server_that_is_full_for_a_while_is_waited_for(
    service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.script("POST restore", problem(429, "overloaded", Retry_After="1"), problem(503, "not-ready"))
    assert restore(service) == 0
    said = capsys.readouterr().err
    assert "It is overloaded. (trying again in 2 s)" in said
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


def test_patience_is_for_servers(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["restore", "in", "-o", "out", "--task", "derain", "--patience", "5"]) == 2
    assert "--patience is for a server" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        cli.main(["restore", "in", "-o", "out", "--task", "derain", "--patience", "-1"])


def test_a_key_that_cannot_be_sent_is_said_in_one_line(
    service: FakeService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNSEAM_API_KEY", "clé")
    assert restore(service) == 2
    said = capsys.readouterr().err
    assert "not visible ASCII" in said
    assert "clé" not in said
