from __future__ import annotations

import errno

import pytest

from imaging import errors as pictures
from service import errors
from service.api import problems
from service.errors import Failure, JobFailed


def test_a_kind_is_the_class_name_in_kebab_case() -> None:
    assert errors.kind(errors.IdempotencyKeyReused) == "idempotency-key-reused"


def test_an_error_of_ours_is_told_with_its_facts() -> None:
    failure = Failure.of(pictures.ImageTooLarge("Too large.", width=9, max_side=8))
    assert (failure.kind, failure.detail, failure.facts) == (
        "image-too-large",
        "Too large.",
        {"width": 9, "max_side": 8},
    )


def test_a_stored_failure_survives_being_raised_again() -> None:
    failure = Failure("bad-image", "Cut short.", {"format": "png"})
    assert Failure.of(JobFailed(failure)) == failure


def test_nothing_is_told_of_an_error_that_is_not_ours() -> None:
    failure = Failure.of(RuntimeError("password=hunter2"))
    assert failure.kind == "internal-error"
    assert "hunter2" not in failure.detail


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 503),
        (pictures.OutOfMemory("full"), 413),
        (ValueError("unexpected"), 500),
    ],
)
def test_a_full_disk_and_full_memory_are_no_internal_errors(error: Exception, status: int) -> None:
    assert problems.of_failure(Failure.of(error)).status == status


def test_what_may_be_asked_again_passes_and_what_is_wrong_with_the_request_stays() -> None:
    passing = errors.StorageFull("Full.", retry_after_s=1), errors.NotReady("Soon.", retry_after_s=1)
    staying = pictures.BadImage("Cut short."), MemoryError(), ValueError("unexpected")
    assert all(Failure.of(error).passes for error in passing)
    assert not any(Failure.of(error).passes for error in staying)


@pytest.mark.parametrize("error", [pictures.PictureError, errors.RequestError, errors.RetryLater])
def test_every_error_of_the_tree_has_a_status_of_its_own(error: type[Exception]) -> None:
    for leaf in error.__subclasses__():
        if leaf.__module__ in ("imaging.errors", "service.errors"):
            assert problems.of_failure(Failure(errors.kind(leaf), "x")).status < 500 or leaf in (
                errors.NotReady,
                errors.StorageFull,
            )
