"""The API's description: complete, and true of the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from service_bench import png

from imaging.codec import Format
from service.api import documentation

RESTORE = "/restore?task=derain"
ENDS_WITH_A_PROBLEM = [
    ("415", lambda client: client.post(RESTORE, content=b"Dear Sir or Madam")),
    ("422", lambda client: client.post(RESTORE + "&quality=101", content=png())),
    ("400", lambda client: client.post(RESTORE, content=png(), headers={"Prefer": "wait=soon"})),
    ("400", lambda client: client.post(RESTORE, content=b"", headers={"Content-Type": "multipart/form-data"})),
    ("400", lambda client: client.post(RESTORE, files=[("image", png()), ("image", png())])),
]


@pytest.fixture(scope="module")
def document(shared_client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = shared_client.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for address, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {address}", operation


def test_every_operation_is_described_and_in_a_group_that_is(document: dict[str, Any]) -> None:
    groups = {tag["name"] for tag in document["tags"] if tag["description"]}
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        assert set(operation["tags"]) <= groups, name


def test_every_parameter_has_words_an_example_and_a_range(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            where, schema = (name, parameter["name"]), parameter["schema"]
            assert parameter["description"], where
            assert schema["examples"], where
            for kind in schema.get("anyOf", [schema]):
                assert kind.get("type") != "integer" or "minimum" in kind, where


def test_every_error_is_a_problem_with_an_example_of_each_kind(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert answer["content"].keys() == {"application/problem+json"}, (name, status)
                examples = answer["content"]["application/problem+json"]["examples"]
                assert examples, (name, status)
                assert all(example["value"]["status"] == int(status) for example in examples.values()), (name, status)
    errors = document["paths"]["/restore"]["post"]["responses"]
    assert {"400", "401", "413", "415", "422", "429", "500", "503"} <= errors.keys()


@pytest.mark.parametrize(("status", "ask"), ENDS_WITH_A_PROBLEM)
def test_an_error_that_happens_is_one_that_is_described(
    document: dict[str, Any], shared_client: httpx.Client, status: str, ask: Callable[[httpx.Client], httpx.Response]
) -> None:
    answer = ask(shared_client)
    described = document["paths"]["/restore"]["post"]["responses"][status]["content"]["application/problem+json"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].rpartition(":")[2] in described["examples"]
    assert str(answer.status_code) == status


def test_what_a_queue_and_a_store_of_their_own_may_do_is_described(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        statuses = operation["responses"].keys()
        if "/jobs/" in name or "POST" in name:
            assert "503" in statuses, name
        if "/result" in name or "POST" in name:
            assert {"413", "415", "500"} <= statuses, name
            kinds = operation["responses"]["500"]["content"]["application/problem+json"]["examples"]
            assert kinds.keys() == {"internal-error", "quarantined"}


def test_the_description_keeps_to_the_version_that_it_names(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert "itemSchema" not in str(document)
    events = document["paths"]["/jobs/{job_id}/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    assert {"event", "data"} <= events["schema"]["properties"].keys()


def test_every_member_of_an_answer_is_explained(document: dict[str, Any]) -> None:
    for name in ("JobView", "ResultView", "TaskView", "ModelView", "Problem"):
        for member, schema in document["components"]["schemas"][name]["properties"].items():
            assert schema.get("description") or schema.get("examples"), (name, member)


def test_every_kind_of_picture_that_is_given_is_listed(document: dict[str, Any]) -> None:
    answer = document["paths"]["/restore"]["post"]["responses"]["200"]
    assert answer["content"].keys() == documentation.PICTURE["content"].keys() == {kind.media_type for kind in Format}


def test_the_headers_that_are_described_are_sent(document: dict[str, Any], shared_client: httpx.Client) -> None:
    answers = document["paths"]["/restore"]["post"]["responses"]
    now = shared_client.post("/restore?task=derain", content=png())
    later = shared_client.post("/restore?task=derain", content=png(), headers={"Prefer": "respond-async"})
    for answer in (now, later):
        described = answers[str(answer.status_code)]["headers"]
        assert {name.lower() for name in described} <= answer.headers.keys()
