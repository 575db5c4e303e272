"""What sources list: recognised by the map, a name or a CoinGecko id; where that is not sure, nobody's."""

import time

import pytest

from app.db import Database
from app.records import SourceAsset
from app.services.source_assets import Listed, entities_of, ids_of, put_source_assets

ENTITIES = (
    ("t-alpha", "Test Alpha", "TALPHA", "chain"),
    ("t-beta", "Test Beta", "TBETA", "token"),
    ("t-dollar", "Test Dollar", "TUSD9", "stablecoin"),
    ("t-share", "Test Share", "TSHR", "equity"),
    ("t-twin-1", "Test Twin", "TWIN1", "token"),
    ("t-twin-2", "Test Twin", "TWIN2", "protocol"),
)
ALIASES = (
    ("t-alpha", "lister", "alpha-there", "chain_name"),
    ("t-beta", "coingecko", "beta-gecko", "coin_id"),
)


@pytest.fixture
async def db(clean_database: Database) -> Database:
    """Some entities beside those of the seed, which stay as they are."""
    pool = clean_database.reads
    await pool.executemany("insert into entity (canonical_id, name, symbol, type) values ($1, $2, $3, $4)", ENTITIES)
    await pool.executemany(
        "insert into entity_source_id (entity_id, source, source_id, source_id_type) "
        "select id, $2, $3, $4 from entity where canonical_id = $1",
        ALIASES,
    )
    return clean_database


async def told(db: Database) -> dict[str, tuple[str | None, str | None, str | None]]:
    """Id → canonical id of its entity, how found, reason."""
    rows = await db.reads.fetch(
        "select a.id, e.canonical_id, a.found_by, a.reason from source_asset a left join entity e on e.id = a.entity_id"
    )
    return {row["id"]: (row["canonical_id"], row["found_by"], row["reason"]) for row in rows}


@pytest.mark.parametrize(
    ("asset", "entity", "found_by"),
    [
        (SourceAsset("chain_name", "Alpha-There", "Anything"), "t-alpha", "source_id"),
        (SourceAsset("protocol_slug", "x", "test ALPHA"), "t-alpha", "name"),
        (SourceAsset("protocol_slug", "x", "T-Beta"), "t-beta", "name"),
        (SourceAsset("protocol_slug", "x", "Another", coingecko_id="Beta-Gecko"), "t-beta", "coingecko_id"),
        (SourceAsset("protocol_slug", "x", "Another", coingecko_id="t-dollar"), "t-dollar", "coingecko_id"),
        (SourceAsset("protocol_slug", "x", "Test Beta", coingecko_id="beta-gecko"), "t-beta", "name"),
        (SourceAsset("chain_name", "x", "Test Beta"), "t-beta", "name"),
        (SourceAsset("stablecoin_id", "77777", "Test Dollar"), "t-dollar", "name"),
        (SourceAsset("artemis_id", "x", "Test Share", ticker="eq-tshr"), "t-share", "name"),
        (SourceAsset("ticker", "EQ-tshr", "Test Share"), "t-share", "name"),
        (SourceAsset("stablecoin_id", "77777", "Test Alpha", coingecko_id="t-dollar"), None, None),
    ],
)
async def test_what_is_recognised(db: Database, asset: SourceAsset, entity: str | None, found_by: str | None) -> None:
    listed = await put_source_assets(db, "lister", [asset])
    assert listed == (Listed(1, 0) if entity else Listed(0, 1))
    found, how, reason = (await told(db))[asset.id]
    assert (found, how, reason is None) == (entity, found_by, entity is not None)


@pytest.mark.parametrize(
    ("asset", "words"),
    [
        (SourceAsset("protocol_slug", "x", "Nobody At All"), ["no entity"]),
        (SourceAsset("protocol_slug", "x", "Test Twin"), ["may be", "`t-twin-1`", "`t-twin-2`"]),
        (SourceAsset("protocol_slug", "x", "Test Alpha", coingecko_id="beta-gecko"), ["`t-alpha`", "`t-beta`"]),
        (SourceAsset("protocol_slug", "x", "Test Beta", coingecko_id="beta-2"), ["`beta-2`", "`beta-gecko`"]),
        (SourceAsset("chain_name", "x", "Test Dollar"), ["`t-dollar`", "no chain"]),
        (SourceAsset("stablecoin_id", "x", "Test Beta"), ["`t-beta`", "no stablecoin"]),
        (SourceAsset("stablecoin_id", "x", "Another", coingecko_id="beta-gecko"), ["`t-beta`", "no stablecoin"]),
        (SourceAsset("protocol_slug", "x", "Test Share"), ["`t-share`", "no coin"]),
        (SourceAsset("ticker", "eq-beta", "Test Beta"), ["`t-beta`", "no share"]),
        (SourceAsset("chain_name", "x", "Test Alpha"), ["`t-alpha`, which is `alpha-there` there already"]),
    ],
)
async def test_what_is_not_sure_is_nobodys_and_says_why(db: Database, asset: SourceAsset, words: list[str]) -> None:
    assert await put_source_assets(db, "lister", [asset]) == Listed(0, 1)
    entity, how, reason = (await told(db))[asset.id]
    assert (entity, how) == (None, None)
    assert reason is not None
    assert all(word in reason for word in words), reason


async def test_one_entity_is_one_thing_of_a_kind(db: Database) -> None:
    """Versions of a protocol share a CoinGecko id: the values of one must not replace those of another."""
    beta = [SourceAsset("protocol_slug", f"beta-v{n}", f"Beta V{n}", coingecko_id="beta-gecko") for n in (1, 2)]
    assert await put_source_assets(db, "lister", beta) == Listed(0, 2)
    assert (await told(db))["beta-v1"][2] == "`beta-v1`, `beta-v2` would all be `t-beta`"
    named = SourceAsset("protocol_slug", "beta", "Test Beta", coingecko_id="beta-gecko")
    assert await put_source_assets(db, "lister", [*beta, named]) == Listed(1, 2)
    found = await told(db)
    assert found["beta"] == ("t-beta", "name", None)
    assert found["beta-v1"][2] == "it would be `t-beta`, which is `beta` there already"
    late = SourceAsset("protocol_slug", "beta-v3", "Beta V3", coingecko_id="beta-gecko")
    assert await put_source_assets(db, "lister", [late]) == Listed(0, 1)  # what is not in this list counts too
    elsewhere = SourceAsset("protocol_slug", "beta", "Test Beta")
    assert await put_source_assets(db, "another", [elsewhere]) == Listed(1, 0)


async def test_the_map_may_give_an_entity_several_ids(db: Database) -> None:
    await db.reads.execute(
        "insert into entity_source_id (entity_id, source, source_id, source_id_type) "
        "select id, 'lister', 'Alpha Two', 'chain_name' from entity where canonical_id = 't-alpha'"
    )
    two = [SourceAsset("chain_name", name, name) for name in ("alpha-there", "Alpha Two")]
    assert await put_source_assets(db, "lister", two) == Listed(2, 0)
    assert await ids_of(db, "lister") == {"chain_name": ("Alpha Two", "alpha-there")}


async def test_a_list_again(db: Database) -> None:
    first = [SourceAsset("protocol_slug", "x", "Test Beta"), SourceAsset("protocol_slug", "y", "Unheard Of")]
    await put_source_assets(db, "lister", first)
    before = {row["id"]: row for row in await db.reads.fetch("select * from source_asset")}
    later = [SourceAsset("protocol_slug", "x", "Test Beta", "TBETA"), SourceAsset("protocol_slug", "y", "Test Dollar")]
    assert await put_source_assets(db, "lister", [first[0], *later]) == Listed(2, 0)
    after = {row["id"]: row for row in await db.reads.fetch("select * from source_asset")}
    assert after["x"]["ticker"] == "TBETA"
    assert after["x"]["entity_id"] == before["x"]["entity_id"]
    assert after["y"]["reason"] is None
    assert all(after[id]["first_seen"] == before[id]["first_seen"] for id in "xy")
    assert all(after[id]["seen_at"] > before[id]["seen_at"] for id in "xy")


async def test_what_the_map_tied_stays(db: Database) -> None:
    asset = SourceAsset("chain_name", "alpha-there", "Alpha")
    await put_source_assets(db, "lister", [asset])
    await db.reads.execute("delete from entity_source_id where source = 'lister'")
    assert await put_source_assets(db, "lister", [asset]) == Listed(1, 0)
    assert (await told(db))["alpha-there"] == ("t-alpha", "source_id", None)


async def test_nothing_listed(db: Database) -> None:
    assert await put_source_assets(db, "lister", []) == Listed(0, 0)


async def test_ids_and_entities_of_a_source(db: Database) -> None:
    await put_source_assets(
        db,
        "lister",
        [
            SourceAsset("chain_name", "Alpha-There", "Alpha"),
            SourceAsset("protocol_slug", "Beta", "Test Beta"),
            SourceAsset("protocol_slug", "unknown", "Unheard Of"),
        ],
    )
    keys = dict(await db.reads.fetch("select canonical_id, id from entity where canonical_id ^@ 't-'"))
    assert await ids_of(db, "lister") == {"chain_name": ("Alpha-There",), "protocol_slug": ("Beta",)}
    assert await ids_of(db, "lister", [keys["t-beta"]]) == {"protocol_slug": ("Beta",)}
    assert await ids_of(db, "lister", []) == {}
    assert await ids_of(db, "nobody") == {}
    assert await entities_of(db, "lister") == {
        ("chain_name", "alpha-there"): keys["t-alpha"],
        ("protocol_slug", "beta"): keys["t-beta"],
    }


async def test_a_long_list_is_quick(db: Database) -> None:
    many = [SourceAsset("protocol_slug", f"slug-{n}", f"Protocol {n}", "T", f"gecko-{n}") for n in range(7_000)]
    await put_source_assets(db, "lister", many)
    begun = time.perf_counter()
    assert await put_source_assets(db, "lister", many) == Listed(0, 7_000)
    assert time.perf_counter() - begun < 2
