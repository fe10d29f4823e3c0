from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_service import FakeService, says

import unseam

Restore = Callable[..., unseam.Restored]
SIGN_IN = says(200, "<h1>Sign in</h1>")


def test_another_page_in_place_of_the_result_is_asked_for_again(service: FakeService, restore: Restore) -> None:
    service.script("GET result", SIGN_IN)
    assert restore(b"picture").content == b"erutcip"
    assert service.count("GET result") == 2


def test_another_page_in_place_of_the_result_is_no_picture(service: FakeService, restore: Restore) -> None:
    service.script("GET result", SIGN_IN, SIGN_IN)
    with pytest.raises(unseam.ProblemError, match=r"/result gives is not the picture of this job") as caught:
        restore()
    assert caught.value.kind == "not-the-result"
    assert not service.present


def test_a_result_that_is_elsewhere_is_no_picture(service: FakeService, restore: Restore) -> None:
    service.script("GET result", says(302, "moved", Location="http://sign.in/"))
    with pytest.raises(unseam.ProblemError):
        restore()


def test_the_result_of_a_job_that_was_only_submitted_is_compared_too(service: FakeService) -> None:
    service.script("GET result", SIGN_IN, SIGN_IN)
    with unseam.Client(service.url) as client:
        job = client.submit(b"picture", task="derain")
        with pytest.raises(unseam.ProblemError, match="not the picture"):
            client.result(job)
        restored = client.result(job)
    assert (restored.content, restored.media_type, restored.job.state) == (b"erutcip", "image/png", "succeeded")
