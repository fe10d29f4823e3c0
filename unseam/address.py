"""Where the service is, and the key that it is given: checked before anything is sent, and never repeated in words."""

from __future__ import annotations

import httpx

from unseam.errors import InvalidAddress, InvalidKey


def address(url: str, key: str | None) -> str:
    """The same address. Raises InvalidAddress for one that names no service, or a password beside an API key."""
    parts = _parts(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.host:
        raise InvalidAddress(
            f"{_shown(url)!r} is no address of a service: it begins with http:// or https://, then names the host"
        )
    if parts.query or parts.fragment:
        raise InvalidAddress(f"{_shown(url)!r} is no address of a service: it ends before any ? or #")
    if parts.port is not None and not 0 < parts.port < 65536:
        raise InvalidAddress(f"{_shown(url)!r} is no address of a service: ports go from 1 to 65535")
    if parts.userinfo and clean(key):
        raise InvalidAddress("an address with a name and password leaves no room for an API key: both are one header")
    return url


def headers(key: str | None) -> dict[str, str]:
    """What goes with every request. Raises InvalidKey."""
    key = clean(key)
    return {"Authorization": f"Bearer {key}"} if key else {}


def clean(key: str | None) -> str:
    """The key without white space around it, as files of secrets end in a new line; empty where there is none.

    Raises InvalidKey for one that no header can carry.
    """
    key = (key or "").strip()
    for place, letter in enumerate(key, 1):
        if not " " <= letter <= "~":
            raise InvalidKey(f"the API key is none: letter {place} of {len(key)} is not visible ASCII")
    return key


def _parts(url: str) -> httpx.URL | None:
    try:
        parts = httpx.URL(url)
        parts.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        return None
    return parts


def _shown(url: str) -> str:
    """What may be shown of it: whatever is before an @ may be a password."""
    return f"...@{url.rpartition('@')[2]}" if "@" in url else url
