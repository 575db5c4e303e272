"""Which entity a caller means: never a guess. And how an entity is called in answers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

import asyncpg

from app.db import Database
from app.services.names import split_multiplier
from app.services.queries import Query

ASSET_SQL = """case when (select count(*) from entity o where lower(o.symbol) = lower(e.symbol)) = 1
    then e.symbol else e.canonical_id end"""
"""How an entity `e` is called in rows: its symbol where no other entity has it, else its canonical id. For statements
about few entities; about many the view `asset` is the cheaper one."""

NEAREST, FEW = 5, 10
BY_NAME = """
select e.*, $asset as asset, 1.0::float8 as multiplier,
  case when e.canonical_id = $1 then 0 when lower(e.symbol) = lower($1) then 1 else 2 end as place
from entity e
where e.canonical_id in ($1, lower($1)) or lower(e.symbol) = lower($1)
union all
select e.*, $asset, 1, case when s.source_id = $1 then 0 else 2 end
from entity_source_id s join entity e on e.id = s.entity_id
where s.source = 'perpstore' and s.source_id_type = 'canonical_id' and s.source_id in ($1, lower($1))
order by place, canonical_id
""".replace("$asset", ASSET_SQL)

EACH_BY_NAME = """
select asked.word, found.* from unnest($1::text[]) as asked(word), lateral ($by_name) found
""".replace("$by_name", BY_NAME.replace("$1", "asked.word"))

BY_SOURCE_ID = """
select e.*, $asset as asset, found.multiplier, 3 as place
from (
  select entity_id, multiplier from entity_source_id where lower(source_id) = lower($1)
    and ($2::text is null or source = $2)
  union
  select i.entity_id, i.multiplier from instrument i join exchange x on x.id = i.exchange_id
  where lower(i.symbol) = lower($1) and ($2::text is null or x.slug = $2)
) found join entity e on e.id = found.entity_id
order by e.canonical_id, found.multiplier
""".replace("$asset", ASSET_SQL)

SPELLINGS = "select canonical_id, symbol, name from entity"


@dataclass(frozen=True, slots=True)
class Entity:
    """What a thing is. `asset` is what answers call it, `multiplier` how many the name asked stands for."""

    id: int
    canonical_id: str
    name: str
    symbol: str
    type: str
    sector: str | None
    asset: str
    multiplier: float = 1.0


class UnknownName(LookupError):
    """Nothing is called that."""

    def __init__(self, name: str, nearest: Sequence[str]) -> None:
        super().__init__(name)
        self.name, self.nearest = name, tuple(nearest)


class AmbiguousName(LookupError):
    """Several entities are called that."""

    def __init__(self, name: str, candidates: Sequence[Entity]) -> None:
        super().__init__(name)
        self.name, self.candidates = name, tuple(candidates)


async def find_asset(db: Database, text: str) -> Entity:
    """The one entity a caller's word means. Raises UnknownName or AmbiguousName.

    Its canonical id, else a symbol, else the id any source or exchange has for it; in any case, and with a count
    (`kPEPE`, `1000PEPE`) where it is nothing else.
    """
    found = await candidates(db, text)
    distinct = {entity.id: entity for entity in found}
    if not distinct:
        raise UnknownName(text, await nearest(db, text))
    if len(distinct) > 1:
        raise AmbiguousName(text, list(distinct.values()))
    units = {entity.multiplier for entity in found}
    return replace(found[0], multiplier=units.pop() if len(units) == 1 else 1.0)


async def find_assets(db: Database, words: Sequence[str] | None) -> tuple[int, ...] | None:
    """Ids of the entities these words mean; None of no words. Raises as `find_asset`."""
    return None if words is None else tuple([(await find_asset(db, word)).id for word in words])


async def find_each(db: Database, words: Sequence[str]) -> tuple[dict[str, Entity], list[UnknownName]]:
    """The entity each of many words means, and the first words (at most `FEW`) nobody is called by.

    As `find_asset` has it; but all names of our own are asked for at once. Raises AmbiguousName.
    """
    named: dict[str, list[asyncpg.Record]] = {word: [] for word in words}
    for row in await db.reads.fetch(EACH_BY_NAME, list(named)):
        named[row["word"]].append(row)
    foremost = {word: _foremost(rows) for word, rows in named.items()}
    found = {word: entities[0] for word, entities in foremost.items() if len({e.id for e in entities}) == 1}
    unknown: list[UnknownName] = []
    for word in (word for word in named if word not in found):
        try:
            found[word] = await find_asset(db, word)
        except UnknownName as error:
            unknown.append(error)
        if len(unknown) == FEW:
            break
    return found, unknown


async def candidates(db: Database, text: str, source: str | None = None) -> list[Entity]:
    """Every entity a word may mean (to one source, if it is named), with what each multiplier would be."""
    text = text.strip()
    found = await _called(db, text, source)
    base, multiplier = split_multiplier(text)
    if found or multiplier == 1:
        return found
    return [replace(e, multiplier=e.multiplier * multiplier) for e in await _called(db, base, source)]


async def _called(db: Database, text: str, source: str | None) -> list[Entity]:
    rows = [] if source else await db.reads.fetch(BY_NAME, text)
    rows = rows or await db.reads.fetch(BY_SOURCE_ID, text, source)
    return _foremost(rows)


def _foremost(rows: Sequence[asyncpg.Record]) -> list[Entity]:
    first = min((row["place"] for row in rows), default=0)
    return [_entity(row) for row in rows if row["place"] == first]


def _entity(row: asyncpg.Record) -> Entity:
    return Entity(**{name: row[name] for name in Entity.__dataclass_fields__})


async def nearest(db: Database, text: str) -> list[str]:
    """Ids and symbols that look like a word nobody has."""
    spelled: dict[str, str] = {}
    for canonical, symbol, name in await db.reads.fetch(SPELLINGS):
        for word in (canonical, name, symbol):
            spelled[word.lower()] = symbol if word == symbol else canonical
    close = get_close_matches(text.strip().lower()[:64], list(spelled), NEAREST, 0.7)
    return list(dict.fromkeys(spelled[word] for word in close))


SEARCH = """
select e.canonical_id, e.name, e.symbol, a.asset, e.type, e.sector,
  (select count(*) from instrument i where i.entity_id = e.id and i.active) as instruments
from entity e join asset a on a.entity_id = e.id
where ($1::text is null or strpos(lower(e.canonical_id || ' ' || e.name || ' ' || e.symbol), lower($1)) > 0)
  and ($2::text[] is null or lower(e.type) = any($2))
  and ($3::text[] is null or lower(e.sector) = any($3))
  and ($4::text[] is null or exists (
    select from entity_source_id s where s.entity_id = e.id and lower(s.source) = any($4)
    union all
    select from instrument i join exchange x on x.id = i.exchange_id where i.entity_id = e.id and x.slug = any($4)))
"""


def search(
    q: str | None, types: Sequence[str] | None, sectors: Sequence[str] | None, sources: Sequence[str] | None
) -> Query:
    """Entities whose names hold a word, of these types and sectors, known to these sources."""
    return Query(SEARCH, (q, types, sectors, sources))


ONE = """
select e.canonical_id, e.name, e.symbol, $asset as asset, e.type, e.sector,
  coalesce((
    select jsonb_agg(jsonb_build_object('source', s.source, 'source_id', s.source_id,
      'source_id_type', s.source_id_type, 'multiplier', s.multiplier) order by s.source, s.source_id_type, s.source_id)
    from entity_source_id s where s.entity_id = e.id), '[]') as source_ids,
  coalesce((
    select jsonb_agg(jsonb_build_object('exchange', x.slug, 'symbol', i.symbol, 'kind', i.kind, 'margin', i.margin,
      'quote', i.quote, 'active', i.active) order by x.slug, i.symbol, i.kind)
    from instrument i join exchange x on x.id = i.exchange_id where i.entity_id = e.id), '[]') as instruments,
  coalesce((
    select jsonb_agg(jsonb_build_object('dataset', h.dataset, 'exchange', h.exchange, 'instrument', h.instrument,
      'source', h.source, 'metrics', h.metrics, 'first', iso(h.first), 'last', iso(h.last))
      order by h.dataset, h.exchange, h.instrument, h.source)
    from (
      select h.dataset, x.slug as exchange, i.symbol as instrument, o.slug as source, null::bigint as metrics, h.first,
        h.last
      from instrument i join exchange x on x.id = i.exchange_id join series s on s.instrument_id = i.id
      join source o on o.id = s.source_id left join latest l on l.series_id = s.id,
      lateral (values
        ('funding', (select min(f.ts) from funding f where f.series_id = s.id), l.funding_ts),
        ('predicted_funding', (select min(f.ts) from predicted_funding f where f.series_id = s.id), l.predicted_ts),
        ('open_interest', (select min(f.ts) from open_interest f where f.series_id = s.id), l.oi_ts),
        ('candles_1m', (select f.ts from perp_1m f where f.series_id between s.id and s.id and f.close is not null
          and l.minute_ts is not null order by f.series_id, f.ts limit 1), l.minute_ts),
        ('candles_1h', (select min(f.ts) from perp_1h f where f.series_id = s.id and l.hour_ts is not null), l.hour_ts),
        ('liquidations', (select min(f.ts) from liquidation f where f.series_id = s.id),
          (select max(f.ts) from liquidation f where f.series_id = s.id))
      ) as h(dataset, first, last)
      where i.entity_id = e.id and h.first is not null
      union all
      select 'fundamentals', null, null, m.source, count(distinct m.id), min(v.first), max(v.last)
      from metric_series s join metric m on m.id = s.metric_id,
      lateral (select min(f.ts) as first, max(f.ts) as last from metric_value f where f.series_id = s.id) v
      where s.entity_id = e.id and v.first is not null
      group by m.source
    ) h), '[]') as data
from entity e where e.id = $1
""".replace("$asset", ASSET_SQL)


def one(entity: int) -> Query:
    """All that is known of an entity: its ids, its contracts, and what data there is from when to when."""
    return Query(ONE, (entity,))


def merged(entity: int, moved: Mapping[str, int]) -> Query:
    """The same after another was merged into it, with how much moved."""
    return Query(f"select o.*, $2::jsonb as moved from ({ONE}) o", (entity, json.dumps(moved)))  # noqa: S608 - ours
