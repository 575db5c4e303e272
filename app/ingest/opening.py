"""How a connection to an upstream's socket is opened."""

import logging
from urllib.parse import urlsplit

from websockets.asyncio.client import connect

from app.ingest.addresses import socket_url
from app.ingest.spec import Socket

OPEN_SECONDS, CLOSE_SECONDS = 10.0, 1.0
MAX_FRAME, MAX_FRAMES = 4 * 2**20, 1024
"""Bytes of a frame, and frames that wait to be read; then the upstream waits."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")

frames = logging.getLogger(f"{__name__}.frames")
frames.setLevel(logging.INFO)  # below, whole frames are logged, and our key in them


def connecting(source: str, socket: Socket) -> connect:
    """Through the proxy that the environment names, if any; never to this machine itself."""
    url = socket_url(source, socket.url) + socket.path
    return connect(
        url,
        open_timeout=OPEN_SECONDS,
        close_timeout=CLOSE_SECONDS,
        max_size=MAX_FRAME,
        max_queue=MAX_FRAMES,
        compression=None,
        logger=frames,
        user_agent_header="perpstore",
        proxy=None if urlsplit(url).hostname in LOOPBACK else True,
    )
