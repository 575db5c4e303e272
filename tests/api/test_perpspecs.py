"""The registry of perpspecs: what is there, what may be added, and that everybody has it at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pyarrow as pa
import pytest

from app.db import Database, connected, driver, writing
from app.main import create_app
from app.services import perpspecs
from app.services.perpspecs import MinutesBusy, Perpspec
from app.services.store import TIME, put
from app.settings import Settings
from tests import plain_rolling as plain
from tests.conftest import run_python
from tests.db import facts

AT = {"at": facts.at(1).isoformat()}


@pytest.fixture(autouse=True)
async def registry(clean_database: Database) -> AsyncIterator[Database]:
    """A database that has no more perpspecs and columns afterwards than before."""
    before = [row["name"] for row in await clean_database.reads.fetch("select name from perpspec")]
    await plain.contracts(clean_database)
    yield clean_database
    async with writing(clean_database) as connection:
        copy = await driver(connection)
        await copy.execute("delete from perpspec where name <> all($1::text[])", before)
        for name in await perpspecs.own_columns(copy):
            await copy.execute(f'alter table perp_1m drop column "{name}"')
        await perpspecs.make_known(copy)


async def tell(db: Database, series: int, column: str, values: dict[int, float]) -> None:
    """Store values of one column, by minutes of the test day."""
    rows = [{"series_id": series, "ts": facts.at(n / 60), column: value} for n, value in values.items()]
    schema = pa.schema({"series_id": pa.int32(), "ts": TIME, column: pa.float64()})
    batch = pa.RecordBatch.from_pylist(rows, schema)
    await put(db, "perp_1m", [batch.append_column("known_at", pa.nulls(len(rows), TIME))])


async def test_nineteen_to_start_with(client: httpx.AsyncClient) -> None:
    found = (await client.get("/perpspecs")).json()["data"]
    assert len(found) == 19
    by_name = {row["name"]: row for row in found}
    assert by_name["okx-pfr"] == {
        "name": "okx-pfr",
        "exchange": "okx",
        "kind": "pfr",
        "fields": ["pfr", "interval_hours"],
        "interval": "1m",
    }
    assert by_name["rsi"]["exchange"] is None


async def test_added_and_added_again(writer: httpx.AsyncClient) -> None:
    order = {"name": "bin-vwap", "fields": ["ts", "symbol", "vwap"]}
    row = {"name": "bin-vwap", "exchange": "binance", "kind": "vwap", "fields": ["vwap"], "interval": "1m"}
    answers = [await writer.post("/perpspecs", json=order) for _ in range(2)]
    assert [(answer.status_code, answer.json()["data"]) for answer in answers] == [(201, [row]), (200, [row])]
    other = await writer.post("/perpspecs", json={**order, "fields": ["vwap", "c"]})
    assert (other.status_code, other.json()["code"]) == (409, "perpspec_exists")
    assert row in (await writer.get("/perpspecs")).json()["data"]


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"name": "vwap", "fields": ["vwap"]}, "name"),
        ({"name": "nobody-vwap", "fields": ["vwap"]}, "name"),
        ({"name": "bin-VWAP", "fields": ["vwap"]}, "name"),
        ({"name": "bin-", "fields": ["vwap"]}, "name"),
        ({"name": "bin-vwap", "fields": ["ts", "symbol"]}, "fields"),
        ({"name": "bin-vwap", "fields": ["Vwap"]}, "fields"),
        ({"name": "bin-vwap", "fields": ["1st"]}, "fields"),
        ({"name": "bin-vwap", "fields": ["v" * 41]}, "fields"),
        ({"name": "bin-" + "x" * 40, "fields": ["v" * 40]}, "fields"),
        ({"name": "bin-vwap", "fields": ["close"]}, "fields"),
        ({"name": "bin-vwap", "fields": ["batch_id"]}, "fields"),
        ({"name": "bin-vwap", "fields": ["instrument"]}, "fields"),
        ({"name": "bin-vwap", "fields": ["c_chg_1m"]}, "fields"),
        ({"name": "bin-vwap", "fields": ["select"]}, "fields"),
        ({"name": "bin-vwap", "fields": ["between"]}, "fields"),
        ({"name": "bin-vwap", "fields": ['v"; drop table x']}, "fields"),
        ({"name": "bin-vwap", "fields": ["vwap"], "exchange": "okx"}, "exchange"),
        ({"name": "bin-vwap", "fields": ["vwap"], "interval": "5m"}, "interval"),
        ({"name": "bin-vwap", "fields": [f"f{n}" for n in range(51)]}, "fields"),
    ],
)
async def test_refused(writer: httpx.AsyncClient, order: dict[str, Any], field: str) -> None:
    answer = await writer.post("/perpspecs", json=order)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_perpspec")
    assert answer.json()["errors"][0]["parameter"] == f"body.{field}"
    assert len((await writer.get("/perpspecs")).json()["data"]) == 19


async def test_only_for_admins(client: httpx.AsyncClient) -> None:
    assert (await client.post("/perpspecs", json={"name": "bin-vwap", "fields": ["vwap"]})).status_code == 401


async def test_own_fields_are_read_with_changes_and_as_known_then(
    writer: httpx.AsyncClient, clean_database: Database
) -> None:
    await writer.post("/perpspecs", json={"name": "bin-vwap", "fields": ["vwap", "c"]})
    [series, *_] = (await plain.contracts(clean_database))["binance"]
    await tell(clean_database, series, "vwap", {50: 200.0, 54: 0.0, 55: 210.0, 59: 205.0})
    then = await clean_database.reads.fetchval("select clock_timestamp()")
    asked = {"start": facts.DAY.isoformat(), "end": facts.at(2).isoformat(), "perpspecs": "bin-vwap"}
    found = (await writer.get("/rolling/BTC", params=asked)).json()["data"]
    assert [(row["vwap"], row["vwap_chg_5m"], row["c"]) for row in found] == [
        (200.0, None, None),
        (0.0, None, None),
        (210.0, pytest.approx(5.0), None),
        (205.0, None, None),
    ]
    await clean_database.reads.execute("update perp_1m set known_at = known_at - interval '1 hour'")
    await tell(clean_database, series, "vwap", {55: 300.0})
    before = (await writer.get("/rolling/BTC", params={**asked, "known_at": then.isoformat()})).json()["data"]
    assert [row["vwap"] for row in before] == [200.0, 0.0, 210.0, 205.0]


@pytest.mark.parametrize(("path", "joined"), [("/rolling/BTC", False), ("/perp-data/BTC", True)])
async def test_hundreds_of_columns_in_every_form(
    client: httpx.AsyncClient, clean_database: Database, path: str, joined: bool
) -> None:
    """More than a function of the database takes arguments."""
    own = [f"own{number}" for number in range(50)]
    for number in range(5):
        await perpspecs.add(clean_database, perpspecs.Perpspec(f"bin-wide{number}", tuple(own)))
    [series, *_] = (await plain.contracts(clean_database))["binance"]
    await tell(clean_database, series, "own7", {50: 200.0, 51: 210.0})
    names = ",".join(f"bin-wide{number}" for number in range(5))
    asked = {"start": facts.DAY.isoformat(), "end": facts.at(2).isoformat(), "perpspecs": names}
    asked |= {"joined": "true"} if joined else {}

    async def told(form: str) -> httpx.Response:
        return (await client.get(path, params={**asked, "format": form})).raise_for_status()

    rows = (await told("json")).json()["data"]
    assert len(rows[0]) > 200
    assert rows[-1]["bin-wide4.own7" if joined else "own7"] == 210.0
    assert (await told("columns")).json()["data"] == {name: [row[name] for row in rows] for name in rows[0]}
    assert (await told("csv")).text.splitlines()[0].split(",") == list(rows[0])
    arrow = pa.ipc.open_stream((await told("arrow")).content).read_all()
    assert (arrow.num_rows, arrow.column_names) == (len(rows), list(rows[0]))


async def test_wide_columns_of_all_perpspecs(client: httpx.AsyncClient) -> None:
    """Those there are to start with, which had more columns than fifty together."""
    for path in ("/rolling/BTC", "/perp-data/BTC?joined=true"):
        answer = await client.get(path, params={"format": "columns"})
        assert answer.status_code == 200, answer.text
        assert any(notice.startswith("no rows: ") for notice in answer.json()["meta"]["notices"])


async def test_used_at_once_by_other_processes_while_they_are_asked(clean_database: Database) -> None:
    """Two applications with warm connections are asked without a pause while a third process adds columns."""
    [series, *_] = (await plain.contracts(clean_database))["binance"]
    await tell(clean_database, series, "close", {59: 100.0})
    asked = [("/perp-data/BTC", AT), ("/rolling/BTC", AT), ("/candles/BTC", AT), ("/rolling", AT)]
    async with connected(clean_database.dsn) as other:
        clients = [await _client(db) for db in (clean_database, other)]
        done = asyncio.Event()

        async def keep_asking(client: httpx.AsyncClient, path: str, params: dict[str, str]) -> int:
            count = 0
            while not done.is_set() or count < 8:
                answer = await client.get(path, params={**params, "limit": str(count % 9 + 1)})
                assert answer.status_code == 200, answer.text
                count += 1
            return count

        tasks = [asyncio.create_task(keep_asking(client, *one)) for client in clients for one in asked]
        await asyncio.sleep(0.3)
        try:
            await asyncio.to_thread(_add_elsewhere, clean_database.dsn)
            for n in range(3):
                await asyncio.sleep(0.3)  # what was being planned two fields ago is not any more
                await perpspecs.add(clean_database, Perpspec(f"bin-more{n}", (f"more{n}",)))
        finally:
            done.set()
        assert min(await asyncio.gather(*tasks)) >= 8
        await tell(clean_database, series, "vwap", {59: 42.0})
        for client in clients:
            answer = await client.get("/perp-data/BTC", params={**AT, "perpspecs": "bin-vwap"})
            assert [row["vwap"] for row in answer.json()["data"]] == [42.0]
            await client.aclose()


def _add_elsewhere(dsn: str) -> None:
    done = run_python("-m", "app.cli", "perpspec", "add", "bin-vwap", "ts,symbol,vwap", "--json", DATABASE_URL=dsn)
    assert done.returncode == 0, done.stderr
    assert '"vwap"' in done.stdout


async def _client(db: Database) -> httpx.AsyncClient:
    app = create_app(Settings(scheduler=False, backfills=False), database=db)
    app.state.database, app.state.streams = db, asyncio.Semaphore(4)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_a_long_write_is_not_waited_for(clean_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perpspecs, "PATIENCE", "100ms")
    holder = await asyncpg.connect(clean_database.dsn)
    try:
        async with holder.transaction():
            await holder.execute("lock table perp_1m in row exclusive mode")
            with pytest.raises(MinutesBusy):
                await perpspecs.add(clean_database, Perpspec("bin-vwap", ("vwap",)))
    finally:
        await holder.close()
    assert await perpspecs.add(clean_database, Perpspec("bin-vwap", ("vwap",)))


async def test_added_twice_at_once(clean_database: Database) -> None:
    told = Perpspec("bin-vwap", ("vwap",))
    assert sorted(await asyncio.gather(*(perpspecs.add(clean_database, told) for _ in range(4)))) == [0, 0, 0, 1]


def test_command_line(clean_database: Database) -> None:
    shown = run_python("-m", "app.cli", "perpspec", "list", DATABASE_URL=clean_database.dsn)
    assert "byb-lq" in shown.stdout
    assert len(shown.stdout.splitlines()) == 20
