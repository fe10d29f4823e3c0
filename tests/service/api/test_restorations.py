from __future__ import annotations

import errno
import gzip
import io
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageCms
from service_bench import Bench, encoded, inverted, manifest, picture, pixels, png, wait_for, wait_for_state

from service.catalogue import Artifact, Catalogue

RESTORE = "/restore?task=derain"
ASYNC = {"Prefer": "respond-async"}


def test_a_picture_comes_back_restored_in_its_own_size_and_format(shared_client: httpx.Client) -> None:
    content = png(150, 70)
    answer = shared_client.post(RESTORE, content=content)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    np.testing.assert_array_equal(pixels(answer.content), inverted(content))


def test_the_answer_says_which_model_made_it_and_how_long_each_stage_took(shared_client: httpx.Client) -> None:
    headers = shared_client.post(RESTORE, content=png()).headers
    assert headers["x-model"].startswith("inverter; version=1; sha256=")
    stages = [stage.partition(";")[0] for stage in headers["server-timing"].split(", ")]
    assert sorted(stages) == ["assemble", "decode", "encode", "infer", "queue"]


def test_a_mosaic_of_another_pattern_is_developed_as_what_it_is(tmp_path: Path) -> None:
    def red_alone(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """For RGGB: what lies under red goes into the red channel, all else is dropped."""
        answers = np.zeros((len(tiles), 3, *tiles.shape[2:]), dtype=np.float32)
        answers[:, 0, ::2, ::2] = tiles[:, 0, ::2, ::2]
        return answers

    bench = Bench(tmp_path)
    network = manifest(name="mosaic", task="demosaic", pattern="rggb", in_channels=1)
    bench.catalogue, bench.load = Catalogue([Artifact(tmp_path, network)]), lambda *_, **__: red_alone
    content = encoded(picture(91, 70, mode="L"))
    with bench.client() as client:
        assert client.get("/tasks").json()[0]["patterns"] == ["rggb", "bggr", "grbg", "gbrg"]
        answer = client.post("/restore?task=demosaic&pattern=BGGR", content=content)
        coloured = client.post("/restore?task=demosaic", content=png())
    red = np.zeros((70, 91), np.uint8)
    red[1::2, 1::2] = pixels(content)[1::2, 1::2]
    np.testing.assert_array_equal(pixels(answer.content)[..., 0], red)
    assert (coloured.status_code, coloured.json()["allowed"]) == (415, [1])


def test_a_form_field_named_image_is_taken_as_well(shared_client: httpx.Client) -> None:
    content = png()
    answer = shared_client.post(RESTORE, files={"image": ("rainy.png", content)})
    np.testing.assert_array_equal(pixels(answer.content), inverted(content))


def test_a_form_without_that_field_is_told_its_name(shared_client: httpx.Client) -> None:
    answer = shared_client.post(RESTORE, files={"picture": ("rainy.png", png())})
    assert answer.status_code == 400
    assert "'image'" in answer.json()["detail"]


def test_parameters_in_the_form_are_told_where_they_belong(shared_client: httpx.Client) -> None:
    answer = shared_client.post(RESTORE, files={"image": png()}, data={"task": "derain"})
    assert (answer.status_code, answer.json()["found"]) == (400, ["task", "image"])
    assert "parameters go in the address" in answer.json()["detail"]
    alone = shared_client.post("/restore", files={"image": png()}, data={"task": "derain"})
    assert (alone.status_code, alone.json()["errors"][0]["parameter"]) == (422, "task")
    assert "parameters go in the address" in alone.json()["detail"]


def test_uploads_that_are_still_coming_count_against_the_room_for_them(bench: Bench) -> None:
    with bench.client(max_body_bytes=10_000, max_spool_bytes=10_000) as client:
        host, port = client.base_url.host, client.base_url.port
        with socket.create_connection((host, port)) as slow:
            slow.sendall(
                f"POST {RESTORE} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 8000\r\n\r\n".encode() + b"x" * 100
            )
            wait_for(lambda: list(bench.folder.rglob("*.upload")))
            refused = client.post(RESTORE, content=b"x" * 4000)
            assert refused.status_code == 503
            assert refused.json()["type"] == "urn:unseam:problem:storage-full"
        wait_for(lambda: not list(bench.folder.rglob("*.upload")))
        assert client.post(RESTORE, content=png()).status_code == 200


@pytest.mark.parametrize(
    ("content", "query", "status", "words"),
    [
        (encoded(picture(mode="RGB").convert("RGBA")), "&format=jpeg", 415, "no transparency"),
        (png(16_384, 2), "&format=webp", 413, "16,383"),
    ],
)
def test_a_format_that_cannot_hold_the_picture_is_refused_before_the_work(
    bench: Bench, client: httpx.Client, content: bytes, query: str, status: int, words: str
) -> None:
    answer = client.post(RESTORE + query, content=content, headers={"Prefer": "respond-async"})
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert bench.runner.tiles == 0


def test_of_the_formats_accepted_one_is_given_that_can_hold_the_picture(shared_client: httpx.Client) -> None:
    transparent = encoded(picture(mode="RGB").convert("RGBA"))
    answer = shared_client.post(RESTORE, content=transparent, headers={"Accept": "image/webp, image/jpeg"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert shared_client.post(RESTORE, content=transparent, headers={"Accept": "image/jpeg"}).status_code == 415


def test_a_profile_that_the_format_cannot_hold_is_found_before_the_work(bench: Bench, client: httpx.Client) -> None:
    grey = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    grey[16:20] = b"GRAY"
    file = io.BytesIO()
    picture(mode="L").save(file, "png", icc_profile=bytes(grey))
    answer = client.post(RESTORE + "&format=webp", content=file.getvalue())
    assert answer.status_code == 415
    assert "profile" in answer.json()["detail"]
    assert bench.runner.tiles == 0


def test_a_form_as_announced_by_curl_is_taken_for_the_picture_itself(shared_client: httpx.Client) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}  # what curl --data-binary says
    assert shared_client.post(RESTORE, content=png(), headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("query", "accept", "media_type"),
    [
        ("", "*/*", "image/png"),
        ("&format=jpeg", "*/*", "image/jpeg"),
        ("&format=jpg&quality=50", "*/*", "image/jpeg"),
        ("&format=JPG", "*/*", "image/jpeg"),
        ("&format=WebP", "*/*", "image/webp"),
        ("", "image/webp", "image/webp"),
        ("", "image/webp;q=0.5, image/*;q=0.1", "image/webp"),
        ("", "image/webp, image/png", "image/png"),
        ("&format=tiff", "image/webp", "image/tiff"),
        ("", "application/json", "image/png"),
    ],
)
def test_format_decides_then_accept_then_the_pictures_own(
    shared_client: httpx.Client, query: str, accept: str, media_type: str
) -> None:
    answer = shared_client.post(RESTORE + query, content=png(), headers={"Accept": accept})
    assert answer.headers["content-type"] == media_type


def test_a_text_file_is_refused_with_a_sentence(shared_client: httpx.Client) -> None:
    answer = shared_client.post(RESTORE, content=b"Dear Sir or Madam,\n")
    problem = answer.json()
    assert answer.status_code == problem["status"] == 415
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == "urn:unseam:problem:unsupported-image"
    assert problem["detail"].endswith(".")
    assert "PNG" in problem["detail"]


def test_a_compressed_body_is_refused_by_its_encoding(shared_client: httpx.Client) -> None:
    packed = gzip.compress(png())
    answer = shared_client.post(RESTORE, content=packed, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert answer.json()["detail"] == "The body comes with Content-Encoding: gzip; send the picture as it is."
    assert shared_client.post(RESTORE, content=png(), headers={"Content-Encoding": "identity"}).status_code == 200


def test_a_damaged_picture_is_said_to_be_damaged(shared_client: httpx.Client) -> None:
    answer = shared_client.post(RESTORE, content=png(200, 200)[:5000])
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:unseam:problem:bad-image"


def test_an_empty_body_is_refused(shared_client: httpx.Client) -> None:
    answer = shared_client.post(RESTORE)
    assert answer.status_code == 400
    assert "empty" in answer.json()["detail"]


def test_a_body_over_the_limit_is_refused_announced_or_not(bench: Bench) -> None:
    with bench.client(max_body_bytes=1000, max_spool_bytes=1000) as client:
        chunks = (b"x" * 100 for _ in range(100))
        form = {"image": b"x" * 2000}
        for answer in (
            client.post(RESTORE, content=b"x" * 1001),
            client.post(RESTORE, content=chunks),
            client.post(RESTORE, files=form),
        ):
            assert answer.status_code == 413
            assert answer.json()["max_bytes"] == 1000


def test_a_picture_over_the_limit_is_refused_from_its_header(bench: Bench) -> None:
    with bench.client(max_pixels=1000) as client:
        answer = client.post(RESTORE, content=png(40, 30))
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:unseam:problem:image-too-large"
    assert bench.runner.tiles == 0


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("task=derian", "task"),
        ("task=derain&model=other", "model"),
        ("task=derain&scale=2", "scale"),
        ("task=derain&pattern=rggb", "pattern"),
        ("task=derain&quality=101", "quality"),
        ("task=derain&format=bmp", "format"),
        ("task=derain&sclae=2", "sclae"),
        ("task=derain&task=denoise", "task"),
        ("task=derain&quality=90&quality=90", "quality"),
        ("", "task"),
    ],
)
def test_a_parameter_that_is_not_served_is_named(shared_client: httpx.Client, query: str, parameter: str) -> None:
    answer = shared_client.post(f"/restore?{query}", content=png())
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert parameter in answer.json()["detail"]


def test_respond_async_answers_at_once_with_the_jobs_address(bench: Bench, client: httpx.Client) -> None:
    bench.runner.go.clear()
    answer = client.post(RESTORE, content=png(), headers=ASYNC)
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    assert answer.headers["location"] == f"/jobs/{answer.json()['id']}"
    assert int(answer.headers["retry-after"]) >= 1


def test_a_preference_on_a_line_of_its_own_is_read_too(client: httpx.Client) -> None:
    lines = [("Prefer", "handling=lenient"), ("Prefer", "respond-async")]
    assert client.post(RESTORE, content=png(), headers=lines).status_code == 202


def test_a_format_on_a_line_of_its_own_is_accepted_too(shared_client: httpx.Client) -> None:
    lines = [("Accept", "image/png;q=0.1"), ("Accept", "image/webp")]
    assert shared_client.post(RESTORE, content=png(), headers=lines).headers["content-type"] == "image/webp"


def test_a_wait_that_runs_out_answers_202_and_the_job_goes_on(bench: Bench, client: httpx.Client) -> None:
    bench.runner.go.clear()
    content = png()
    start = time.monotonic()
    answer = client.post(RESTORE, content=content, headers={"Prefer": "wait=1"})
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=1"
    assert 0.9 < time.monotonic() - start < 3
    bench.runner.go.set()
    wait_for_state(client, answer.json()["id"], "succeeded")
    result = client.get(answer.headers["location"] + "/result")
    np.testing.assert_array_equal(pixels(result.content), inverted(content))


def test_a_wait_that_is_no_number_is_refused(shared_client: httpx.Client) -> None:
    assert shared_client.post(RESTORE, content=png(), headers={"Prefer": "wait=soon"}).status_code == 400


def test_the_same_idempotency_key_gives_the_same_job(bench: Bench, client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "k1", **ASYNC}
    bench.runner.go.clear()
    first, second = (client.post(RESTORE, content=png(), headers=headers).json()["id"] for _ in range(2))
    assert first == second
    bench.runner.go.set()
    wait_for_state(client, first, "succeeded")
    again = client.post(RESTORE, content=png(), headers={"Idempotency-Key": "k1"})
    np.testing.assert_array_equal(pixels(again.content), inverted(png()))
    assert bench.runner.tiles == client.get(f"/jobs/{first}").json()["tiles_total"]


def test_the_same_idempotency_key_for_another_request_is_refused(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "k1"}
    assert client.post(RESTORE, content=png(seed=1), headers=headers).status_code == 200
    for other in (
        client.post(RESTORE, content=png(seed=2), headers=headers),
        client.post(RESTORE + "&format=webp", content=png(seed=1), headers=headers),
    ):
        assert other.status_code == 422
        assert other.json()["type"] == "urn:unseam:problem:idempotency-key-reused"


def test_after_a_failure_that_passes_the_same_idempotency_key_tries_again(bench: Bench, client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "k1"}
    bench.runner.error = OSError(errno.ENOSPC, "No space left on device")
    failed = client.post(RESTORE, content=png(), headers=headers)
    assert (failed.status_code, failed.json()["type"]) == (503, "urn:unseam:problem:storage-full")
    assert int(failed.headers["retry-after"]) > 0
    bench.runner.error = None
    again = client.post(RESTORE, content=png(), headers=headers)
    np.testing.assert_array_equal(pixels(again.content), inverted(png()))
    assert client.post(RESTORE, content=png(seed=2), headers=headers).status_code == 422


def test_a_failure_that_stays_is_kept_under_its_idempotency_key(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "k1"}
    broken = png(200, 200)[:5000]
    answers = [client.post(RESTORE, content=broken, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert 'unseam_jobs_total{outcome="failed",task="derain"} 1.0' in client.get("/metrics").text


def test_a_full_backlog_is_shed_with_a_true_retry_after(bench: Bench) -> None:
    with bench.client(max_backlog_tile_units=3) as client:
        wait_until_ready(client)
        bench.runner.seconds = 0.03  # a tile of 64 is 1/16 unit: 0.48 s for each unit
        measured = client.post(RESTORE, content=png(300, 300))  # 49 tiles
        assert measured.status_code == 200
        content = png(240, 240)
        bench.runner.go.clear()  # or the first is half done before the second comes
        waiting = client.post(RESTORE, content=content, headers=ASYNC)
        refused = client.post(RESTORE, content=content, headers=ASYNC)
        bench.runner.go.set()
        assert (waiting.status_code, refused.status_code) == (202, 429)
        assert refused.json()["max_backlog_tile_units"] == 3
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
        assert 'unseam_rejected_total{reason="overloaded"} 1.0' in client.get("/metrics").text
        time.sleep(int(refused.headers["retry-after"]))
        assert client.post(RESTORE, content=png(240, 240), headers=ASYNC).status_code == 202
        bench.runner.seconds = 0.0


def test_a_picture_larger_than_the_backlog_is_taken_when_nothing_waits(bench: Bench) -> None:
    with bench.client(max_backlog_tile_units=1) as client:
        assert client.post(RESTORE, content=png(300, 300)).status_code == 200


def test_a_full_spool_is_said(bench: Bench) -> None:
    content = png(100, 100)
    with bench.client(max_body_bytes=40_000, max_spool_bytes=50_000) as client:
        kept = client.post(RESTORE, content=content, headers={"Idempotency-Key": "kept"})
        assert kept.status_code == 200
        refused = client.post(RESTORE, content=content)
        assert refused.status_code == 503
        assert refused.json()["type"] == "urn:unseam:problem:storage-full"
        assert 3500 < int(refused.headers["retry-after"]) <= 3600


def test_a_full_disk_is_said_with_when_to_come_back(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("service.api.uploads.tempfile.NamedTemporaryFile", full)
    for address in (RESTORE, "/preview"):
        refused = client.post(address, content=png())
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
        assert refused.json()["type"] == "urn:unseam:problem:storage-full"


def test_a_delivered_picture_leaves_no_file_behind(bench: Bench, client: httpx.Client) -> None:
    client.post(RESTORE, content=png())
    deadline = time.monotonic() + 5
    while left := [path.name for path in bench.folder.glob("*/*") if path.name != ".lock"]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def test_a_client_that_goes_cancels_its_synchronous_job(bench: Bench, client: httpx.Client) -> None:
    bench.runner.go.clear()
    _post_and_hang_up(client, png(300, 300))
    _wait_for_metric(client, 'unseam_jobs_total{outcome="cancelled",task="derain"} 1.0')
    bench.runner.go.set()
    assert client.post(RESTORE, content=png(40, 30)).status_code == 200  # the thread is free again
    assert bench.runner.tiles < 10


def test_a_client_that_goes_with_an_idempotency_key_finds_its_picture(bench: Bench, client: httpx.Client) -> None:
    content = png(100, 100)
    bench.runner.go.clear()
    _post_and_hang_up(client, content, "Idempotency-Key: mine\r\n")
    bench.runner.go.set()
    _wait_for_metric(client, 'unseam_jobs_total{outcome="succeeded",task="derain"} 1.0')
    answer = client.post(RESTORE, content=content, headers={"Idempotency-Key": "mine"})
    np.testing.assert_array_equal(pixels(answer.content), inverted(content))
    assert 'unseam_jobs_total{outcome="succeeded",task="derain"} 1.0' in client.get("/metrics").text


def test_twenty_pictures_of_eight_clients_come_back_unmixed(client: httpx.Client) -> None:
    contents = [png(40 + 13 * seed, 200 - 7 * seed, seed) for seed in range(20)]
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda content: client.post(RESTORE, content=content), contents))
    for content, answer in zip(contents, answers, strict=True):
        np.testing.assert_array_equal(pixels(answer.content), inverted(content))


def test_a_grey_picture_comes_back_grey(shared_client: httpx.Client) -> None:
    content = encoded(picture(mode="L"))
    answer = shared_client.post(RESTORE, content=content)
    np.testing.assert_array_equal(pixels(answer.content), inverted(content))


def test_what_goes_wrong_inside_is_a_problem_without_its_secrets(bench: Bench, client: httpx.Client) -> None:
    bench.runner.error = RuntimeError("/secret/path")
    answer = client.post(RESTORE, content=png(), headers={"X-Request-Id": "mine-1"})
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "mine-1"
    assert answer.json()["instance"] == "urn:unseam:request:mine-1"
    assert "secret" not in answer.text
    bench.runner.error = None
    assert client.post(RESTORE, content=png()).status_code == 200


def test_a_page_of_a_multipage_file_is_asked_for_by_number(shared_client: httpx.Client) -> None:
    pages = [picture(seed=1), picture(50, 60, seed=2)]
    file = io.BytesIO()
    pages[0].save(file, "tiff", save_all=True, append_images=pages[1:])
    refused = shared_client.post(RESTORE, content=file.getvalue())
    assert refused.status_code == 415
    assert "frame=0" in refused.json()["detail"]
    answer = shared_client.post(RESTORE + "&frame=1&format=png", content=file.getvalue())
    np.testing.assert_array_equal(pixels(answer.content), 255 - np.asarray(pages[1]))


def test_an_enlarged_picture_is_held_to_the_limit_too(bench: Bench) -> None:
    bench.catalogue = Catalogue([Artifact(bench.folder, manifest(scale=4))])
    with bench.client(max_pixels=10_000) as client:
        answer = client.post(RESTORE, content=png(30, 30))
    assert answer.status_code == 413
    assert (answer.json()["found"], answer.json()["allowed"]) == (14_400, 10_000)


def test_stopping_cancels_what_runs_and_deletes_every_file(bench: Bench) -> None:
    bench.runner.seconds = 0.2  # so long that a slow machine too has looked before twenty tiles are done
    with bench.client() as client:
        for _ in range(3):
            client.post(RESTORE, content=png(400, 400), headers=ASYNC)
        _wait_for_metric(client, "unseam_queue_jobs 3.0")
    assert bench.runner.tiles < 20
    assert list(bench.folder.iterdir()) == []


def wait_until_ready(client: httpx.Client) -> None:
    while client.get("/readyz").status_code != 200:
        time.sleep(0.01)


def _post_and_hang_up(client: httpx.Client, content: bytes, headers: str = "") -> None:
    """Close the connection once the job runs."""
    with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
        head = f"POST {RESTORE} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
        connection.sendall(head.encode() + content)
        _wait_for_metric(client, "unseam_queue_jobs 1.0")


def _wait_for_metric(client: httpx.Client, line: str) -> None:
    deadline = time.monotonic() + 10
    while line not in (text := client.get("/metrics").text):
        assert time.monotonic() < deadline, text
        threading.Event().wait(0.01)
