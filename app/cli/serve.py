"""`perpstore serve`: the API, the schedule and the dashboard, until told to stop."""

import asyncio
import errno
import logging
import os
import signal
import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import Failure, emit, say
from app.cli.options import Json
from app.cli.running import run

if TYPE_CHECKING:
    from app.cli.session import Server
    from app.settings import Settings

GRACE_SECONDS = 3
TALKATIVE = ("alembic", "uvicorn.error")
QUIET: dict[str, Any] = {"log_config": None, "access_log": False, "server_header": False}


def serve(
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address to listen on [default: PERPSTORE_HOST, 127.0.0.1].")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=0, max=65535, help="Port; 0: a free one [default: PERPSTORE_PORT, 8000]."),
    ] = None,
    json: Json = False,
) -> None:
    """Serve the API and pull on schedule.

    Until Ctrl-C or SIGTERM. The line with the address is printed as soon as requests are answered.

    \b
    Examples:
      perpstore serve
      perpstore serve --host 0.0.0.0 --port 9000
      PERPSTORE_SCHEDULER=off perpstore serve      only serve, pull nothing
    """
    from app.cli.session import server, settings
    from app.cli.sources import configured

    given = {"host": host, "port": port}
    found = settings().model_copy(update={name: value for name, value in given.items() if value is not None})
    configured(found.sources)
    with _listening(found) as listener, server(found, take_over=True) as database:
        _run(listener, database, json=json)


@contextmanager
def _listening(found: "Settings") -> Generator[socket.socket]:
    """The socket, taken before anything else is started: whoever connects early waits."""
    try:
        family, _, _, _, address = socket.getaddrinfo(found.host, found.port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        raise Failure(_refused(found, error)) from error
    with listener:
        yield listener


def _refused(found: "Settings", error: OSError) -> str:
    where = f"port {found.port} on {found.host}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{where} is taken. Choose another with --port, or end what has it (`lsof -i :{found.port}`)"
        case errno.EACCES:
            return f"{where} may not be used by this user. Choose one above 1023 with --port"
        case _:
            return f"Cannot listen on {where}: {error.strerror}. Choose an address of this machine with --host"


def _run(listener: socket.socket, found: "Server", *, json: bool) -> None:
    import uvicorn

    from app import logs

    import_module("app.main")  # before the event loop runs, so that Ctrl-C ends even that at once
    logs.configure(found.settings.log_level, secrets=list(_secrets(found.settings)))
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    factory = uvicorn.Config("", **QUIET).get_loop_factory()
    if run(_serve(listener, found, json=json), factory) == signal.SIGINT:
        raise KeyboardInterrupt


async def _serve(listener: socket.socket, found: "Server", *, json: bool) -> int | None:
    """Serve until a signal says to end; returns its number."""
    import uvicorn

    from app.cli.session import session
    from app.main import create_app

    class Serving(uvicorn.Server):
        """Says when it is ready, and ends on a signal without raising it again."""

        ended_by: int | None = None

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            try:
                await super().startup(sockets)
            except SystemExit as error:
                raise Failure(
                    "The API did not start; the log says why. `perpstore setup` checks the settings"
                ) from error
            _ready(listener, found, json=json)

        @contextmanager
        def capture_signals(self) -> Generator[None]:
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, self.handle_exit, number, None)
            yield

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            self.ended_by = sig
            app.state.hub.end()  # else each open stream would be waited for
            super().handle_exit(sig, frame)

    async with session(found, seed=True, replica=True) as opened:
        app = create_app(found.settings, opened.db)
        config = uvicorn.Config(app, lifespan="on", timeout_graceful_shutdown=GRACE_SECONDS, **QUIET)
        serving = Serving(config)
        await serving.serve([listener])
        return serving.ended_by


def _secrets(found: "Settings") -> Iterator[str]:
    """Keys that must not get into the log."""
    from app.cli.sources import described
    from app.settings import environment

    return (environment()[source["key_setting"]] for source in described(found) if source["key_present"])


def _ready(listener: socket.socket, database: "Server", *, json: bool) -> None:
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if json:
        emit({"url": url, "pid": os.getpid(), "database": {"dsn": database.named, "how": database.how}})
    else:
        say(f"perpstore serves {url}")
