"""Real PostgreSQL for the tests: the embedded 18, the machine's own if it has one, or that of TEST_DATABASE_URL."""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import cache
from pathlib import Path

import asyncpg
import httpx
import pytest

from app.db import Database, connected, migrate, plain_dsn
from app.services.seed import put_seed
from app.settings import Settings

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("PERPSTORE_SHARED", ROOT.parent / "shared"))
EMBEDDED, SYSTEM, GIVEN = "embedded-18", "system", "given"
SYSTEM_SKIP = "no `initdb` on the PATH: the database tests ran on the embedded PostgreSQL only"
FACT_TABLES = (
    "funding, predicted_funding, open_interest, perp_1m, perp_1h, revision, latest, coin_1h, coin_1h_ready, "
    "metric_value, metric_series, metric, source_asset, source_product, source_exchange, backfill_chunk, backfill, "
    "budget_spent, import_made, import_span, import_batch, series, instrument_fact, instrument, source, pull, reject, "
    "raw_body, job, api_key, live_event, liquidation, gap, retention, collector, error_log, option_tick, "
    "option_trade, depth, option_1m, greeks, index_price, delivery_price, option_tick_1h, "
    "option_tick_late, trades_complete, throttle"
)


def shared(folder: str) -> Path:
    """A folder of recorded material beside the repository; the test skips where it is not."""
    if not (SHARED / folder).is_dir():
        pytest.skip(f"no recorded material: {folder} is not beside the repository (set PERPSTORE_SHARED)")
    return SHARED / folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Soaks run only when asked for by their marker. The longest files first, so that none is left to one process."""
    if "soak" not in (config.getoption("-m") or ""):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("soak")])
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
    items.sort(key=lambda item: "e2e" not in item.path.parts and "soak" not in item.path.parts)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of the database run on every server there is, the others, and long ones (`one_server`), on the first."""
    if "server" not in metafunc.fixturenames:
        return
    kinds = [GIVEN] if "TEST_DATABASE_URL" in os.environ else [EMBEDDED, SYSTEM]
    in_db = (ROOT / "tests" / "db") in metafunc.definition.path.parents
    everywhere = in_db and not metafunc.definition.get_closest_marker("one_server")
    metafunc.parametrize("server", kinds if everywhere else kinds[:1], indirect=True, scope="session")


@contextlib.contextmanager
def _embedded(folder: Path) -> Iterator[str]:
    from app import embedded

    with embedded.running(folder, {**embedded.DEFAULTS, "fsync": "off"}) as cluster:
        yield cluster.dsn


@contextlib.contextmanager
def _system(folder: Path) -> Iterator[str]:
    """The machine's own PostgreSQL, as an ordinary user."""
    initdb = shutil.which("initdb")
    if initdb is None:
        pytest.skip(SYSTEM_SKIP)
    folder.mkdir(parents=True)
    user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "nobody", "nogroup")
    binaries = Path(initdb).resolve().parent
    data = str(folder / "data")
    subprocess.run(
        [*user, str(binaries / "initdb"), "-D", data, "-U", "postgres", "--auth=trust", "-N", "-E", "UTF8"],
        check=True,
        capture_output=True,
        cwd="/tmp",  # noqa: S108 - readable for that user
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["fsync=off", "max_locks_per_transaction=256", "listen_addresses=127.0.0.1", f"port={port}"]
    server = subprocess.Popen(
        [*user, str(binaries / "postgres"), "-D", data, "-k", str(folder), *(w for o in options for w in ("-c", o))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/tmp",  # noqa: S108
    )
    try:
        yield _answering(f"postgresql://postgres@127.0.0.1:{port}/postgres", port)
    finally:
        server.send_signal(2)
        server.wait(30)


def _answering(dsn: str, port: int) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            time.sleep(0.3)
            return dsn
        time.sleep(0.05)
    raise RuntimeError("the machine's PostgreSQL did not start")


@pytest.fixture(scope="session", autouse=True)
def authorities() -> Iterator[None]:
    """Whom to trust is read from the disk once, not by each application: 30 ms every time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        yield


@pytest.fixture(scope="session")
def short_tmp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that other users can enter: a server may not run as root."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="perpstore-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def servers(short_tmp: Path) -> Iterator[Callable[[str], str]]:
    """Starts each kind of server when it is first wanted, and ends all together: whose turn it is may alternate."""
    running: dict[str, str] = {}
    with contextlib.ExitStack() as stack:

        def dsn(kind: str) -> str:
            if kind not in running:
                started = {EMBEDDED: _embedded, SYSTEM: _system}[kind](short_tmp / kind)
                running[kind] = stack.enter_context(started)
            return running[kind]

        yield dsn


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, servers: Callable[[str], str]) -> str:
    """DSN of a running server with rights to create databases."""
    return plain_dsn(os.environ["TEST_DATABASE_URL"]) if request.param == GIVEN else servers(request.param)


def database_dsn(dsn: str, name: str) -> str:
    """The same server, another database."""
    head, _, query = dsn.partition("?")
    return head.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")


async def create_database(dsn: str, name: str) -> str:
    """An empty database of this name on the server; returns its DSN."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"drop database if exists {name} with (force)")
        await connection.execute(f"create database {name}")
    finally:
        await connection.close()
    return database_dsn(dsn, name)


@pytest.fixture(scope="session")
async def empty_dsn(server: str) -> str:
    """A database with nothing in it, for tests of the migrations themselves."""
    return await create_database(server, f"perpstore_empty_{os.getpid()}")


KEEP = """
create schema seeded;
create table seeded.entity as table entity;
create table seeded.entity_source_id as table entity_source_id
"""
EMPTY = f"""
do $$ declare
  name text;
  filled text[] := '{{}}';
  has_rows boolean;
begin
  foreach name in array string_to_array('{FACT_TABLES}', ', ') loop
    execute format('select exists (select from %I)', name) into has_rows;
    if has_rows then filled := filled || name; end if;
  end loop;
  if cardinality(filled) > 0 then
    execute format('truncate %s restart identity cascade', array_to_string(filled, ', '));
  end if;
end $$
"""
"""Only what has rows: to truncate what is empty takes as long, and there are many partitions."""
RESTORE = """
do $$ begin
  if exists (table entity except table seeded.entity) or exists (table seeded.entity except table entity)
    or exists (table entity_source_id except table seeded.entity_source_id)
    or exists (table seeded.entity_source_id except table entity_source_id)
  then
    truncate entity, entity_source_id cascade;
    insert into entity overriding system value table seeded.entity;
    insert into entity_source_id overriding system value table seeded.entity_source_id;
  end if;
end $$
"""


@pytest.fixture(scope="session")
async def databases(servers: Callable[[str], str]) -> AsyncIterator[Callable[[str], Awaitable[Database]]]:
    """A migrated and seeded database on each server, made when it is first wanted."""
    opened: dict[str, Database] = {}
    async with contextlib.AsyncExitStack() as stack:

        async def on(server: str) -> Database:
            if server not in opened:
                dsn = await create_database(server, f"perpstore_test_{os.getpid()}")
                db = await stack.enter_async_context(connected(dsn))
                await migrate(db)
                await put_seed(db)
                await db.reads.execute(KEEP)
                opened[server] = db
            return opened[server]

        yield on


@pytest.fixture(scope="session")
async def database(server: str, databases: Callable[[str], Awaitable[Database]]) -> Database:
    """A migrated and seeded database."""
    return await databases(server)


@pytest.fixture
async def clean_database(database: Database) -> Database:
    """The same with no facts, instruments and logs in it; entities are those of the seed, exchanges stay."""
    await database.reads.execute(EMPTY)
    await database.reads.execute(RESTORE)
    return database


@pytest.fixture
async def client(clean_database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """The API in this process, on an emptied database, pulling nothing."""
    from tests.apps import asking, made

    async with asking(made(Settings(scheduler=False, backfills=False), clean_database)) as client:
        yield client


def run_python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run this Python with arguments in a process of its own."""
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env={**os.environ, **environment}, timeout=120
    )


@pytest.fixture
async def writer(client: httpx.AsyncClient, clean_database: Database) -> httpx.AsyncClient:
    """The same client with a key that may write and administer."""
    from app.services import keys

    key = await keys.create(clean_database, "test", ["write", "admin"])
    client.headers["Authorization"] = f"Bearer {key}"
    return client
