"""Files that pages are made of: read and packed once, with a validator."""

import gzip
from dataclasses import dataclass
from hashlib import blake2b

from fastapi import Request
from starlette.responses import Response

SMALL = 1000
"""Bytes from which packing pays."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent: plain, packed by gzip (None: too small to be), its media type and its validator."""

    body: bytes
    packed: bytes | None
    media: str
    etag: str


def file(body: bytes, media: str) -> File:
    """Make a file ready to be sent."""
    packed = gzip.compress(body, 9, mtime=0) if len(body) > SMALL else None
    return File(body, packed, media, f'"{blake2b(body, digest_size=16).hexdigest()}"')


def send(request: Request, found: File, **headers: str) -> Response:
    """The file; 304 where the caller has it already."""
    told = {"ETag": found.etag, "X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding", **headers}
    if found.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=told)
    if found.packed is None or "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(found.body, headers=told, media_type=found.media)
    return Response(found.packed, headers={**told, "Content-Encoding": "gzip"}, media_type=found.media)
