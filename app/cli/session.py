"""The way of every command to its database: settings, then the URL given or the embedded server, then the schema."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from app.cli.console import Failure
from app.cli.running import run

if TYPE_CHECKING:
    from app.db import Database
    from app.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL to talk to: its URL, how this process came by it, and the settings that say so.

    `how`: `started` (the embedded one, by this process), `joined` (another process runs it) or `given` (DATABASE_URL).
    """

    url: str
    how: str
    settings: "Settings"

    @property
    def named(self) -> str:
        """The URL as it may be shown."""
        from app.db import plain_dsn, without_password

        return without_password(plain_dsn(self.url))


@dataclass(frozen=True, slots=True)
class Session:
    """An open, migrated and seeded database, and the server it is on."""

    db: "Database"
    server: Server

    @property
    def settings(self) -> "Settings":
        """The settings of this run."""
        return self.server.settings


def settings() -> "Settings":
    """The settings, checked."""
    from pydantic import ValidationError

    from app.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        wrong = error.errors()[0]
        name = str(wrong["loc"][0])
        name = name if name.isupper() else f"PERPSTORE_{name.upper()}"
        message = f"{name}={wrong['input']}: {wrong['msg']}. Correct it in the environment or in .env"
        raise Failure(message) from error


@contextmanager
def server(found: "Settings | None" = None, *, take_over: bool = False) -> Generator[Server]:
    """The server of DATABASE_URL, or the embedded one: joined where another process runs it, else started."""
    found = found or settings()
    if found.database_url and (given := found.database_url.get_secret_value()):
        yield Server(given, "given", found)
        return
    from app import embedded

    try:
        with embedded.running(found.data_dir, take_over=take_over) as cluster:
            yield Server(cluster.dsn, "started" if cluster.owner else "joined", found)
    except embedded.EmbeddedError as error:
        raise Failure(str(error)) from error


def on_database(work: Callable[[Session], Awaitable[T]], *, seed: bool = False) -> T:
    """Run `work` on the database of the settings."""
    with server() as found:
        import_module("app.services.reference")  # before the event loop runs, so that Ctrl-C ends even that at once
        return run(_work(found, work, seed=seed))


async def _work(found: Server, work: Callable[[Session], Awaitable[T]], *, seed: bool) -> T:
    async with session(found, seed=seed) as opened:
        return await work(opened)


@asynccontextmanager
async def session(found: Server, *, seed: bool = False, replica: bool = False) -> AsyncGenerator[Session]:
    """Connected, migrated and seeded: anew with `seed`, else only where nothing was.

    With `replica`, reads go there if there is one: it may be a moment behind.
    """
    import asyncpg
    from sqlalchemy.exc import DBAPIError

    from app.db import connected, migrate
    from app.services import reference
    from app.services.seed import put_seed

    limits = found.settings
    async with AsyncExitStack() as stack:
        try:
            sizes = {"reads": limits.read_connections, "writes": limits.write_connections}
            read_url = limits.read_database_url if replica else None
            read_from = read_url.get_secret_value() if read_url else None
            db = await stack.enter_async_context(connected(found.url, read_url=read_from, **sizes))
            await migrate(db)
            if seed or not await db.reads.fetchval("select exists (select from entity)"):
                await put_seed(db)
                await reference.prefer(db, limits.source_preference)
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError) as error:
            raise Failure(_unreachable(found, error)) from error
        try:
            yield Session(db, found)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError) as error:
            raise Failure(f"The database gave up: {_line(error)}. Try again; `perpstore status` tells of it") from error


def _unreachable(found: Server, error: Exception) -> str:
    step = "Check DATABASE_URL, or unset it to use the embedded PostgreSQL" if found.how == "given" else "Try again"
    if found.settings.read_database_url:
        step += "; check PERPSTORE_READ_DATABASE_URL too"
    return f"Cannot use the database {found.named}: {_line(error)}. {step}"


def _line(error: BaseException) -> str:
    told = str(error.__cause__ if "[SQL:" in str(error) and error.__cause__ else error).strip() or type(error).__name__
    return told.splitlines()[0].rstrip(".")
