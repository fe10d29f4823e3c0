"""What the API's description says that the code alone does not: groups, the body, headers of the answers."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

TAGS: Final = [
    {"name": "restore", "description": "Send a picture, get it back restored."},
    {"name": "jobs", "description": "Restorations that nobody waits for: progress, result, cancelling."},
    {"name": "models", "description": "What this server can do, and by which networks."},
    {"name": "health", "description": "For load balancers and Prometheus."},
]

_FILE: Final = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}

# The form comes first: it is what the documentation's own form sends.
BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A form with the picture in the field `image`, or the bytes of the picture. JPEG, PNG, TIFF, "
        "WebP and AVIF are taken; what it is, its own bytes say, not the name or media type sent along.",
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["image"], "properties": {"image": _FILE}},
            },
            "image/*": {"schema": _FILE},
        },
    }
}

# Not among the route's own parameters, which read a header's first line alone.
PREFER: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": "prefer",
            "in": "header",
            "required": False,
            "description": "`respond-async`: answer 202 at once; `wait=N`: after N seconds",
            "schema": {"type": "string", "title": "Prefer", "examples": ["wait=60"]},
        }
    ]
}


class DescribedAPI(FastAPI):
    """FastAPI, whose description keeps to OpenAPI 3.1, which it says it is written in."""

    def openapi(self) -> dict[str, Any]:
        """The description; the items of a stream, which have a word of their own from 3.2 on, stand for its whole."""
        document = super().openapi()
        events = document["paths"]["/jobs/{job_id}/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]
        if "itemSchema" in events:
            events["schema"] = events.pop("itemSchema")
        return document


def _header(description: str, example: str | int) -> dict[str, Any]:
    kind = "integer" if isinstance(example, int) else "string"
    return {"description": description, "schema": {"type": kind}, "example": example}


_REQUEST_ID: Final = {"X-Request-Id": _header("under which the log has more", "8c43f862c6183fb9e56833fc2c62bcc5")}

# Of an answer that is a picture.
PICTURE: Final[dict[str, Any]] = {
    "description": "The restored picture",
    "content": {
        f"image/{kind}": {"schema": {"type": "string", "format": "binary"}}
        for kind in ("jpeg", "png", "webp", "tiff", "avif")
    },
    "headers": {
        "X-Model": _header("the network, its version and digest", "ipt-v2-tiny-derain; version=1; sha256=9f2c..."),
        "Server-Timing": _header("milliseconds in each stage", "queue;dur=0.4, decode;dur=6.1, infer;dur=410.2"),
        "ETag": _header("the file's SHA-256", '"5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456"'),
        "Content-Disposition": _header("a file name", 'inline; filename="derain-3f2a9c0d.png"'),
    }
    | _REQUEST_ID,
}

# Of an answer that is a small picture.
PREVIEW: Final[dict[str, Any]] = {
    "description": "The picture, small",
    "content": {"image/webp": {"schema": {"type": "string", "format": "binary"}}},
    "headers": {"X-Picture-Size": _header("sides of the whole picture, upright", "6000x4000")} | _REQUEST_ID,
}

# Of an answer that is a job that was taken on.
ACCEPTED: Final[dict[str, Any]] = {
    "description": "Accepted; the job says where it stands",
    "headers": {
        "Location": _header("of the job", "/jobs/3f2a9c0d4b5e6f708192a3b4c5d6e7f8"),
        "Retry-After": _header("seconds until it is expected to be done", 4),
        "Preference-Applied": _header("what was taken of Prefer", "respond-async"),
    }
    | _REQUEST_ID,
}
