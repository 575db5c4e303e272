"""Large bodies of requests, read into files: how large they may be, how slow, and callers who leave."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from anyio import open_file
from fastapi import Request
from starlette.requests import ClientDisconnect

from app.api.errors import BadRequest, TooLarge, TooSlow

MIB = 1 << 20
PATIENCE_SECONDS = 30.0
PACE = MIB // 16
"""Bytes a second: each of so many that came is a second more of patience."""


@asynccontextmanager
async def spooled(request: Request, limit: int, advice: str) -> AsyncGenerator[Path]:
    """The body in a file, as it came.

    Raises TooLarge (with `advice`) beyond `limit` bytes, before anything is read where its length says so; TooSlow; and
    BadRequest where the caller left.
    """
    too_large = TooLarge(f"The body is too large: more than {limit // MIB} MiB. {advice}")
    if int(request.headers.get("content-length") or 0) > limit:
        raise too_large
    with TemporaryDirectory(prefix="perpstore-body-") as folder:
        path = Path(folder) / "body"
        try:
            if await _spool(request, path, limit) > limit:
                raise too_large
        except ClientDisconnect as error:
            raise BadRequest("The body broke off", code="bad_body") from error
        except TimeoutError as error:
            raise TooSlow(f"The body comes too slowly: less than {PACE >> 10} KiB a second") from error
        yield path


async def _spool(request: Request, path: Path, limit: int) -> int:
    """Bytes written; reading ends with the block that goes beyond the limit."""
    size, begun, kept = 0, asyncio.get_running_loop().time(), bytearray()
    async with await open_file(path, "wb") as file, asyncio.timeout(PATIENCE_SECONDS) as patience:
        async for block in request.stream():
            size += len(block)
            if size > limit:
                break
            kept += block
            if len(kept) >= MIB:  # fewer, larger writes: each is a turn of another thread
                await file.write(kept)
                kept.clear()
            patience.reschedule(begun + PATIENCE_SECONDS + size / PACE)
        await file.write(kept)
    return size
