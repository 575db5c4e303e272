"""Editing entities: what it moves, that nothing is lost, and that no start undoes it."""

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest

from app.db import Database
from app.records import Instrument, SourceAsset
from app.services import entities, entity_edit, entity_merge, reference, rollup
from app.services.entities import UnknownName, find_asset
from app.services.entity_edit import SourceId
from app.services.seed import put_seed
from app.services.source_assets import ids_of, put_source_assets
from tests.db import facts

DAY = datetime(2026, 1, 5, tzinfo=UTC)
BEFORE, BETWEEN, AFTER = (DAY + timedelta(days=days) for days in (10, 20, 30))
REFERENCES = """
select distinct conrelid::regclass::text as name from pg_constraint where confrelid = 'entity'::regclass
"""


async def entity(db: Database, name: str, symbol: str | None = None, type: str = "token") -> int:
    """A new entity; its name is its id's with a capital."""
    return await entity_edit.create(db, name, name.capitalize(), symbol or name.upper(), type, None)


async def owner(db: Database, exchange: str, symbol: str) -> tuple[str | None, float]:
    """Canonical id and multiplier of a contract."""
    row = await db.reads.fetchrow(
        "select e.canonical_id, i.multiplier from instrument i join exchange x on x.id = i.exchange_id "
        "left join entity e on e.id = i.entity_id where x.slug = $1 and i.symbol = $2",
        *(exchange, symbol),
    )
    assert row is not None
    return tuple(row)


async def metric(db: Database, source: str = "lister", name: str = "TVL") -> int:
    """A metric of a source."""
    return await db.reads.fetchval(
        "insert into metric (source, name, canonical, unit, domain, granularity, covers) "
        "values ($1, $2, 'any', 'USD', 'fundamental', 'daily', 'day') returning id",
        *(source, name),
    )


async def tell(db: Database, metric: int, entity: int, values: dict[int, tuple[float, datetime]]) -> int:
    """A series with values: day → value and when it was known."""
    series = await db.reads.fetchval(
        "insert into metric_series (metric_id, entity_id) values ($1, $2) returning id", metric, entity
    )
    rows = [(series, DAY + timedelta(days=day), value, known) for day, (value, known) in values.items()]
    await db.reads.executemany(
        "insert into metric_value (series_id, ts, value, known_at) values ($1, $2, $3, $4)", rows
    )
    return series


async def known(db: Database, series: int, moment: datetime | None) -> dict[int, float]:
    """Day → value as known at a moment; a day told twice is an error."""
    rows = await db.reads.fetch("select ts, value from metric_value_known($1) where series_id = $2", moment, series)
    found = {(row["ts"] - DAY).days: row["value"] for row in rows}
    assert len(found) == len(rows)
    return found


async def shown(db: Database) -> list[str]:
    """Everything the seed fills."""
    rows = await db.reads.fetch(
        "select e.canonical_id, e.name, e.symbol, e.type, e.sector, s.source, s.source_id_type, s.source_id, "
        "s.multiplier from entity e left join entity_source_id s on s.entity_id = e.id"
    )
    return sorted(str(tuple(row)) for row in rows)


async def test_seeding_again_undoes_nothing(clean_database: Database) -> None:
    db = clean_database
    pepe, shib = (await find_asset(db, "pepe")).id, (await find_asset(db, "shiba-inu")).id
    await entity_edit.correct(db, pepe, {"name": "Pepe the Frog", "symbol": "FROG", "type": "chain", "sector": None})
    await entity_edit.map_source_id(db, shib, SourceId("binance", "1000PEPEUSDT"), move=True)
    doge, bonk = (await find_asset(db, "dogecoin")).id, (await find_asset(db, "bonk")).id
    await entity_merge.merge(db, bonk, doge)
    await db.reads.execute("delete from entity_source_id where source = 'artemis' and entity_id = $1", doge)
    edited = await shown(db)
    await put_seed(db)
    seeded = await shown(db)
    assert set(edited) <= set(seeded)  # what was deleted comes back, and goes to the survivor
    added = set(seeded) - set(edited)
    assert added
    assert all("'dogecoin'" in row and "'artemis'" in row for row in added)
    await put_seed(db)
    assert await shown(db) == seeded


async def test_a_new_entity(clean_database: Database) -> None:
    made = await entity_edit.create(clean_database, "t-new", "New", "TNEW", "token", "gaming")
    found = await find_asset(clean_database, "tnew")
    assert (found.id, found.canonical_id, found.sector) == (made, "t-new", "gaming")
    with pytest.raises(entity_edit.EntityExists) as refused:
        await entity_edit.create(clean_database, "t-new", "Other", "OTHER", "token", None)
    assert refused.value.canonical_id == "t-new"


async def test_two_make_one_entity_at_once(clean_database: Database) -> None:
    made = await asyncio.gather(*(entity(clean_database, "t-race") for _ in range(4)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in made) == ["EntityExists"] * 3 + ["int"]


async def test_correcting_what_is_gone(clean_database: Database) -> None:
    with pytest.raises(UnknownName):
        await entity_edit.correct(clean_database, 2**31 - 1, {"name": "x"})
    with pytest.raises(UnknownName):
        await entity_edit.map_source_id(clean_database, 2**31 - 1, SourceId("binance", "X"))


@pytest.mark.parametrize(
    ("source", "id", "kind"),
    [
        ("coingecko", "unheard-of", "coin_id"),
        ("vendor", "x", "id"),
        ("lister", "THERE", "slug"),
        ("okx", "N", "instId"),
    ],
)
async def test_the_usual_kind_of_id(clean_database: Database, source: str, id: str, kind: str) -> None:
    made = await entity(clean_database, "t-kind")
    await put_source_assets(clean_database, "lister", [SourceAsset("slug", "there", "There")])
    await entity_edit.map_source_id(clean_database, made, SourceId(source, id))
    rows = await clean_database.reads.fetch("select * from entity_source_id where entity_id = $1", made)
    assert [(row["source_id_type"], row["source_id"]) for row in rows] == [(kind, id)]


async def test_a_listed_thing_is_mapped_at_once(clean_database: Database) -> None:
    db = clean_database
    one, other = await entity(db, "t-one"), await entity(db, "t-other")
    listed = [SourceAsset("slug", "Thing", "Unheard Of"), SourceAsset("number", "Thing", "Another")]
    await put_source_assets(db, "lister", listed)
    mapped = await entity_edit.map_source_id(db, one, SourceId("lister", "thing", "slug"))
    assert (mapped.new, mapped.notices) == (True, ())
    rows = await db.reads.fetch("select id_type, entity_id, found_by, reason from source_asset order by id_type desc")
    assert tuple(rows[0]) == ("slug", one, "source_id", None)
    assert rows[1]["entity_id"] is None
    assert await ids_of(db, "lister", [one]) == {"slug": ("Thing",)}
    assert not (await entity_edit.map_source_id(db, one, SourceId("lister", "Thing", "slug"))).new
    with pytest.raises(entity_edit.SourceIdTaken) as refused:
        await entity_edit.map_source_id(db, other, SourceId("lister", "THING", "slug"))
    assert refused.value.owners == ("t-one",)
    assert await ids_of(db, "lister", [other]) == {}


async def test_what_a_name_made_an_entity_is_taken_too(clean_database: Database) -> None:
    db = clean_database
    one, other = await entity(db, "t-one"), await entity(db, "t-other")
    await put_source_assets(db, "lister", [SourceAsset("slug", "thing", "T-One")])
    with pytest.raises(entity_edit.SourceIdTaken):
        await entity_edit.map_source_id(db, other, SourceId("lister", "thing"))
    tvl = await metric(db)
    series = await tell(db, tvl, one, {0: (1.0, BEFORE)})
    moved = await entity_edit.map_source_id(db, other, SourceId("lister", "thing"), move=True)
    assert moved.notices == ("moved from `t-one`", "metric values that lister told of `t-one` stay there")
    assert await ids_of(db, "lister") == {"slug": ("thing",)}
    assert await ids_of(db, "lister", [one]) == {}
    assert await known(db, series, None) == {0: 1.0}


async def test_an_orphan_becomes_the_entitys(clean_database: Database) -> None:
    """Its facts are in the rollup from their first hour on, under the multiplier its symbol spells."""
    db = clean_database
    series = await facts.series(db, "binance", "1000NOBODYUSDT", "1000NOBODY")
    await facts.settle(db, series, {0: 1e-4, 8: 2e-4})
    await facts.hold(db, series, {0: 1e6, 8: 1e6})
    assert await owner(db, "binance", "1000NOBODYUSDT") == (None, 1000)
    made = await entity(db, "t-nobody")
    mapped = await entity_edit.map_source_id(db, made, SourceId("binance", "1000nobodyusdt"))
    assert (mapped.new, mapped.notices) == (True, ())
    assert await owner(db, "binance", "1000NOBODYUSDT") == ("t-nobody", 1000)
    await rollup.refresh(db)
    first = await db.reads.fetchrow("select ts, rate from coin_1h where entity_id = $1 order by ts limit 1", made)
    assert first is not None
    assert tuple(first) == (facts.at(0), 1e-4)
    await reference.put_instruments(db, "binance", [Instrument("1000NOBODYUSDT", "1000NOBODY", "USDT")])
    assert await owner(db, "binance", "1000NOBODYUSDT") == ("t-nobody", 1000)


async def test_another_multiplier_is_told_of(clean_database: Database) -> None:
    db = clean_database
    await facts.series(db, "binance", "NOBODYUSDT", "NOBODY")
    made = await entity(db, "t-nobody")
    mapped = await entity_edit.map_source_id(db, made, SourceId("binance", "NOBODYUSDT", multiplier=100))
    assert mapped.notices == ("facts of `NOBODYUSDT` stored until now count one unit as 1, not 100",)
    assert await owner(db, "binance", "NOBODYUSDT") == ("t-nobody", 100)
    again = await entity_edit.map_source_id(db, made, SourceId("binance", "NOBODYUSDT"))
    assert (again.new, again.notices) == (False, ())
    assert await owner(db, "binance", "NOBODYUSDT") == ("t-nobody", 100)


async def test_a_contract_moves_only_when_asked(clean_database: Database) -> None:
    db = clean_database
    series = await facts.series(db, "binance", "BTCUSDT")
    await facts.settle(db, series, {0: 1e-4, 8: 2e-4})
    await facts.hold(db, series, {0: 1e6, 8: 1e6})
    await rollup.refresh(db)
    made = await entity(db, "t-fork")
    for told in (SourceId("binance", "BTCUSDT"), SourceId("binance", "btcusdt", "instrument")):
        with pytest.raises(entity_edit.SourceIdTaken) as refused:
            await entity_edit.map_source_id(db, made, told)
        assert set(refused.value.owners) == {"bitcoin"}
    moved = await entity_edit.map_source_id(db, made, SourceId("binance", "BTCUSDT"), move=True)
    assert (moved.new, moved.notices) == (False, ("moved from `bitcoin`",))
    assert await owner(db, "binance", "BTCUSDT") == ("t-fork", 1)
    await rollup.refresh(db)
    rows = await db.reads.fetch(
        "select e.canonical_id from coin_1h c join entity e on e.id = c.entity_id where c.rate is not null group by 1"
    )
    assert [row["canonical_id"] for row in rows] == ["t-fork"]
    await reference.put_instruments(db, "binance", [Instrument("BTCUSDT", "BTC", "USDT")])
    assert await owner(db, "binance", "BTCUSDT") == ("t-fork", 1)


async def test_merging_leaves_no_reference(clean_database: Database) -> None:
    """A table with entities in it that the merge does not know would keep it from working: here it is noticed first."""
    found = {row["name"] for row in await clean_database.reads.fetch(REFERENCES)}
    assert found == {"entity_source_id", "instrument", "metric_series", "source_asset", "coin_1h", "coin_1h_ready"}


async def test_merging_moves_everything(clean_database: Database) -> None:
    db = clean_database
    gone, into = await entity(db, "t-gone", "TGONE"), await entity(db, "t-into", "TINTO")
    for exchange, symbol, usd in (("binance", "TGONEUSDT", 1e6), ("okx", "TINTO-USDT-SWAP", 3e6)):
        series = await facts.series(db, exchange, symbol, symbol[:5])
        await facts.settle(db, series, {0: 1e-4 if exchange == "binance" else 5e-4, 8: 1e-4})
        await facts.hold(db, series, {0: usd, 8: usd})
    await entity_edit.map_source_id(db, gone, SourceId("coingecko", "gone-coin"))
    await put_source_assets(db, "lister", [SourceAsset("slug", "gone-there", "T-Gone")])
    tvl, fees = await metric(db), await metric(db, name="FEES")
    await tell(db, tvl, gone, {0: (1.0, BEFORE), 1: (1.0, BEFORE)})
    into_tvl = await tell(db, tvl, into, {1: (1.0, BEFORE)})
    await tell(db, fees, gone, {0: (7.0, BEFORE)})
    await rollup.refresh(db)

    moved = await entity_merge.merge(db, gone, into)
    assert asdict(moved) == {
        "source_ids": 1,
        "instruments": 1,
        "source_assets": 1,
        "metric_series": 2,
        "metric_values": 2,
        "revisions": 0,
    }
    assert await owner(db, "binance", "TGONEUSDT") == ("t-into", 1)
    for name in ("t-gone", "T-GONE", "TGONE", "gone-coin", "TGONEUSDT", "gone-there", "t-into", "tinto"):
        assert (await find_asset(db, name)).id == into, name
    assert await known(db, into_tvl, None) == {0: 1.0, 1: 1.0}
    left = [await db.reads.fetchval(f"select count(*) from {table} where entity_id = $1", gone) for table in TABLES]
    assert left == [0] * len(TABLES)
    assert await db.reads.fetchval("select count(*) from metric_series where entity_id = $1", into) == 2

    assert await db.reads.fetchval("select count(*) from coin_1h_ready where ready_to < first_ts") == 1
    await rollup.refresh(db)
    first = await db.reads.fetchrow("select ts, rate from coin_1h where entity_id = $1 order by ts limit 1", into)
    assert first is not None
    assert (first["ts"], first["rate"]) == (facts.at(0), pytest.approx(4e-4))


TABLES = ("entity_source_id", "instrument", "metric_series", "source_asset", "coin_1h", "coin_1h_ready")


async def test_what_a_merge_made_lasts(clean_database: Database) -> None:
    """The next lists of sources and exchanges find what they found before."""
    db = clean_database
    gone, into = await entity(db, "t-gone", "SAME"), await entity(db, "t-into", "TINTO")
    await facts.series(db, "binance", "SAMEUSDT", "SAME")
    listed = [SourceAsset("slug", "old", "T-Gone"), SourceAsset("slug", "new", "T-Into")]
    await put_source_assets(db, "lister", listed)
    await entity_merge.merge(db, gone, into)
    another = await entity(db, "t-another", "SAME")
    await reference.put_instruments(db, "binance", [Instrument("SAMEUSDT", "SAME", "USDT")])
    assert await owner(db, "binance", "SAMEUSDT") == ("t-into", 1)
    assert (await put_source_assets(db, "lister", [listed[0]])).mapped == 1
    assert await ids_of(db, "lister", [into]) == {"slug": ("new", "old")}
    assert (await find_asset(db, "SAME")).id == another
    with pytest.raises(entity_edit.EntityExists) as refused:
        await entity(db, "t-gone")
    assert refused.value.canonical_id == "t-into"
    third = await entity(db, "t-third")
    await entity_merge.merge(db, into, third)
    for name in ("t-gone", "t-into", "t-third"):
        assert (await find_asset(db, name)).id == third


async def test_an_old_id_is_not_taken_by_a_symbol(clean_database: Database) -> None:
    db = clean_database
    gone, into = await entity(db, "told"), await entity(db, "t-into")
    await entity(db, "t-another", "TOLD")
    await entity_merge.merge(db, gone, into)
    assert (await find_asset(db, "told")).id == into


async def test_values_of_both_are_all_kept(clean_database: Database) -> None:
    """What `gone` said is in force until `into` first knew; later it is kept, and nothing is told twice."""
    db = clean_database
    gone, into = await entity(db, "t-gone"), await entity(db, "t-into")
    tvl = await metric(db)
    old = await tell(
        db, tvl, gone, {0: (10, BEFORE), 1: (11, BEFORE), 2: (12, AFTER), 3: (13, BEFORE), 4: (14, BETWEEN)}
    )
    series = await tell(
        db, tvl, into, {1: (21, BETWEEN), 2: (22, BETWEEN), 3: (13, BETWEEN), 4: (24, AFTER), 5: (25, BEFORE)}
    )
    revise = """insert into revision (fact, series_id, ts, known_at, replaced_at, said)
        values ('metric_value', $1, $2, $3, $4, $5)"""
    for key, day, value, since, until in (
        (old, 0, 9, BEFORE - timedelta(days=1), BEFORE),
        (old, 4, 8, BEFORE - timedelta(days=1), BETWEEN),
        (series, 4, 23, BEFORE, AFTER),
    ):
        said = f'{{"value": {value}}}'
        await db.reads.execute(revise, key, DAY + timedelta(days=day), since, until, said)

    moved = await entity_merge.merge(db, gone, into)
    assert (moved.metric_values, moved.revisions, moved.metric_series) == (5, 3, 1)
    assert await known(db, series, None) == {0: 10, 1: 21, 2: 22, 3: 13, 4: 24, 5: 25}
    assert await known(db, series, BEFORE - timedelta(hours=1)) == {0: 9, 4: 8}
    assert await known(db, series, BEFORE) == {0: 10, 1: 11, 3: 13, 4: 23, 5: 25}
    assert await known(db, series, BETWEEN) == {0: 10, 1: 21, 2: 22, 3: 13, 4: 23, 5: 25}
    assert await known(db, series, AFTER) == {0: 10, 1: 21, 2: 22, 3: 13, 4: 24, 5: 25}
    kept = await db.reads.fetch(
        "select series_id, said->>'value' as value, known_at from revision where said is not null"
    )
    assert {row["series_id"] for row in kept} == {series}
    assert {(row["value"], row["known_at"]) for row in kept} >= {("11", BEFORE), ("12", AFTER), ("14", BETWEEN)}


async def test_series_by_exchange_join_their_like(clean_database: Database) -> None:
    db = clean_database
    gone, into = await entity(db, "t-gone"), await entity(db, "t-into")
    fees = await metric(db)
    binance, okx = [await db.reads.fetchval("select id from exchange where slug = $1", s) for s in ("binance", "okx")]
    for owner_, exchange in ((gone, None), (gone, binance), (gone, okx), (into, None), (into, binance)):
        await db.reads.execute(
            "insert into metric_series (metric_id, entity_id, exchange_id) values ($1, $2, $3)", fees, owner_, exchange
        )
    moved = await entity_merge.merge(db, gone, into)
    assert moved.metric_series == 3
    rows = await db.reads.fetch("select exchange_id from metric_series where entity_id = $1", into)
    assert {row["exchange_id"] for row in rows} == {None, binance, okx}
    assert len(rows) == 3


async def test_different_kinds_and_itself(clean_database: Database) -> None:
    db = clean_database
    coin, share = await entity(db, "t-coin"), await entity(db, "t-share", type="equity")
    with pytest.raises(entity_merge.SameEntity):
        await entity_merge.merge(db, coin, coin)
    with pytest.raises(entity_merge.DifferentKinds):
        await entity_merge.merge(db, coin, share)
    assert (await find_asset(db, "t-coin")).id == coin
    await entity_merge.merge(db, coin, share, force=True)
    assert (await find_asset(db, "t-coin")).id == share
    with pytest.raises(UnknownName):
        await entity_merge.merge(db, coin, share)


@pytest.mark.one_server
async def test_merging_while_facts_are_written(clean_database: Database) -> None:
    """Writers of facts, rollups and lists beside merges: all end, and everything is the survivor's."""
    db = clean_database
    into = await entity(db, "t-into")
    parts = [await entity(db, f"t-part{n}") for n in range(4)]
    series = [await facts.series(db, "binance", f"T-PART{n}USDT", f"T-PART{n}") for n in range(4)]

    async def work(n: int) -> None:
        for hour in range(4):
            await facts.settle(db, series[n], {hour * 8.0: 1e-4})
            await rollup.refresh(db)
        await entity_merge.merge(db, parts[n], into)

    await asyncio.gather(*(work(n) for n in range(4)))
    rows = await db.reads.fetch("select distinct entity_id from instrument")
    assert [row["entity_id"] for row in rows] == [into]
    assert await db.reads.fetchval("select count(*) from funding") == 16


async def test_one_query_of_an_entity_after_a_merge(clean_database: Database) -> None:
    query = entities.merged((await find_asset(clean_database, "bitcoin")).id, {"source_ids": 1})
    (row,) = await clean_database.reads.fetch(query.text, *query.arguments)
    assert (row["canonical_id"], row["moved"]) == ("bitcoin", '{"source_ids": 1}')


async def test_a_list_that_gives_a_contract_to_another_makes_both_due(clean_database: Database) -> None:
    db = clean_database
    one = await entity(db, "t-one", "TSYM")
    series = await facts.series(db, "binance", "TSYMUSDT", "TSYM")
    await facts.settle(db, series, {0: 1e-4, 8: 1e-4})
    await facts.hold(db, series, {0: 1e6, 8: 1e6})
    await rollup.refresh(db)
    await entity_edit.correct(db, one, {"symbol": "OTHER"})
    two = await entity(db, "t-two", "TSYM")
    await reference.put_instruments(db, "binance", [Instrument("TSYMUSDT", "TSYM", "USDT")])
    assert await owner(db, "binance", "TSYMUSDT") == ("t-two", 1)
    await rollup.refresh(db)
    rows = await db.reads.fetch("select distinct entity_id from coin_1h where rate is not null")
    assert [row["entity_id"] for row in rows] == [two]
