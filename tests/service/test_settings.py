from __future__ import annotations

import os
from pathlib import Path

import pytest

from service import settings
from service.settings import InvalidSettings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(f"UNSEAM_{name.upper()}", raising=False)


def test_the_environment_is_read_and_arguments_go_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSEAM_PORT", "9000")
    monkeypatch.setenv("UNSEAM_HOST", "0.0.0.0")
    monkeypatch.setenv("UNSEAM_ARTIFACTS", "/srv/networks")
    chosen = settings.read(host="127.0.0.2", port=None)
    assert (chosen.port, chosen.host, chosen.artifacts) == (9000, "127.0.0.2", (Path("/srv/networks"),))


def test_folders_of_networks_are_separated_as_in_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSEAM_ARTIFACTS", os.pathsep.join(("shipped", "/srv/mine", "")))
    assert settings.read().artifacts == (Path("shipped"), Path("/srv/mine"))
    monkeypatch.setenv("UNSEAM_ARTIFACTS", os.pathsep)
    with pytest.raises(InvalidSettings, match="UNSEAM_ARTIFACTS: "):
        settings.read()


def test_key_hashes_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSEAM_API_KEYS", f"{'a' * 64}, {'B' * 64},")
    assert settings.read().api_keys == ("a" * 64, "b" * 64)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "http"),
        ("ROOT_PATH", "restoration/"),
        ("DEVICE", "gpu"),
        ("BACKEND", "caffe"),
        ("MAX_BODY_BYTES", "0"),
        ("RESULT_TTL_S", "-1"),
        ("WAIT_S", "nan"),
        ("API_KEYS", "plain-key"),
    ],
)
def test_nonsense_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"UNSEAM_{name}", value)
    with pytest.raises(InvalidSettings, match=f"UNSEAM_{name}: "):
        settings.read()


def test_every_fault_is_named_at_once_and_a_key_is_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSEAM_PORT", "70000")
    monkeypatch.setenv("UNSEAM_API_KEYS", "plain-key")
    with pytest.raises(InvalidSettings) as caught:
        settings.read()
    assert "UNSEAM_PORT" in str(caught.value)
    assert "UNSEAM_API_KEYS" in str(caught.value)
    assert "plain-key" not in str(caught.value)


def test_settings_that_contradict_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSEAM_WAIT_S", "1000")
    with pytest.raises(InvalidSettings, match="UNSEAM_WAIT_S 1000 is over UNSEAM_MAX_WAIT_S 600"):
        settings.read()


def test_every_setting_is_described() -> None:
    assert all(field.description for field in settings.Settings.model_fields.values())
