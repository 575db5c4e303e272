"""A server on a real socket, one for all tests of the client, and the same facts as Parquet files."""

import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import uvicorn
from pydantic import SecretStr

from app.db import Database, connected, migrate
from app.main import create_app
from app.services.export import DATASETS, Wanted, export
from app.services.seed import put_seed
from app.settings import Settings
from perpstore_client import PerpstoreClient
from tests.client import market
from tests.conftest import create_database
from tests.db.importing import bring, candle


@pytest.fixture(scope="session")
async def filled(server: str) -> AsyncIterator[Database]:
    """A database of its own with the market of these tests in it."""
    dsn = await create_database(server, f"perpstore_client_{os.getpid()}")
    async with connected(dsn) as db:
        await migrate(db)
        await put_seed(db)
        assert (await bring(db, "funding", *market.written())).rejected == ()
        assert (await bring(db, "funding", *market.unsaid())).rejected == ()
        held = {"time": market.DAY.isoformat(), "exchange": "binance", "instrument": "BTCUSDT", "asset": "BTC"}
        await bring(db, "open-interest", {**held, "oi_base": 10.0, "oi_usd": 9e5})
        await bring(db, "candles", candle(**held))
        yield db


@pytest.fixture(scope="session")
def url(filled: Database) -> Iterator[str]:
    """Address of a server of that database, in a thread."""
    settings = Settings(scheduler=False, backfills=False, database_url=SecretStr(filled.dsn))
    served = uvicorn.Server(uvicorn.Config(create_app(settings), log_config=None))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=served.run, kwargs={"sockets": [listening]})
        thread.start()
        deadline = time.monotonic() + 30
        while not served.started and time.monotonic() < deadline:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            served.should_exit = True
            thread.join(30)


@pytest.fixture(scope="session")
def client(url: str) -> Iterator[PerpstoreClient]:  # type: ignore[type-arg]
    with PerpstoreClient(url) as client:
        yield client


@pytest.fixture(scope="session")
async def exported(filled: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an export of all funding."""
    folder = tmp_path_factory.mktemp("exported")
    await export(filled, DATASETS["funding"], folder / "funding", "parquet", Wanted())
    return folder
