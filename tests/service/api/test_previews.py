from __future__ import annotations

import hashlib
import io

import httpx
from PIL import Image
from service_bench import Bench, encoded, picture


def test_a_tiff_is_answered_with_a_webp_and_the_sides_of_the_whole(client: httpx.Client) -> None:
    answer = client.post("/preview", content=encoded(picture(3000, 120), "tiff"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert answer.headers["x-picture-size"] == "3000x120"
    assert Image.open(io.BytesIO(answer.content)).size == (2048, 82)


def test_a_page_is_named_by_its_number(client: httpx.Client) -> None:
    file = io.BytesIO()
    pages = [Image.new("RGB", (8 * n, 8)) for n in (1, 2)]
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    assert client.post("/preview", content=file.getvalue()).status_code == 415
    answer = client.post("/preview?frame=1", content=file.getvalue())
    assert Image.open(io.BytesIO(answer.content)).size == (16, 8)
    assert client.post("/preview?frame=0&frame=1", content=file.getvalue()).status_code == 422


def test_what_is_no_picture_is_refused_in_words(client: httpx.Client) -> None:
    answer = client.post("/preview", content=b"Dear Sir or Madam")
    assert (answer.status_code, answer.json()["title"]) == (415, "Unsupported image")
    assert client.post("/preview", content=b"").status_code == 400


def test_a_server_with_keys_shows_nothing_without_one(bench: Bench) -> None:
    with bench.client(api_keys=(hashlib.sha256(b"mine").hexdigest(),)) as client:
        content = encoded(picture())
        assert client.post("/preview", content=content).status_code == 401
        assert client.post("/preview", content=content, headers={"Authorization": "Bearer mine"}).status_code == 200
