"""which contract of an exchange is meant by its name alone, what just became known, and what estimates are of."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# By the symbol alone, so that files without a database say the same: USDT before USDC before all others, the shortest
# first. A sort key: the contract with the least is meant where only an exchange and an asset are named.
CONTRACT_ORDER = """
create function contract_order(symbol text)
returns text
language sql immutable strict parallel safe as $$
  select case when upper(symbol) like '%USDT%' then '0' when upper(symbol) like '%USDC%' then '1' else '2' end
    || lpad(length(symbol)::text, 4, '0') || (symbol collate "C")
$$
"""

# Facts of contracts as known at a moment (null: as they are now). What is told later holds from its date on: a fact that
# one learned later dates back past is not told any more. It stays stored, and is what was known then.
FACT_KNOWN = """
create function instrument_fact_known(moment timestamptz)
returns table (instrument_id int, fact text, valid_from timestamptz, value text, source text, known_at timestamptz)
language sql stable parallel safe as $$
  select f.instrument_id, f.fact, f.valid_from, f.value, f.source, f.known_at
  from instrument_fact f
  where (moment is null or f.known_at <= moment) and not exists (
    select from instrument_fact later
    where later.instrument_id = f.instrument_id and later.fact = f.fact and later.valid_from <= f.valid_from
      and later.known_at > f.known_at and (moment is null or later.known_at <= moment))
$$
"""

# Estimates of what will be paid, told in [first, last): samples, and the rates an aggregator tells as they stood at the
# end of an hour, known then and normalised to 8 hours.
ESTIMATE_KNOWN = """
create function estimate_known(moment timestamptz, first timestamptz, last timestamptz)
returns table (series_id int, ts timestamptz, rate float8, interval_hours float8, for_time timestamptz)
language sql stable parallel safe as $$
  select p.series_id, p.ts, p.rate, p.interval_hours, p.for_time
  from predicted_funding_known(moment) p where p.ts >= first and p.ts < last
  union all
  select h.series_id, h.ts + interval '1 hour', h.funding_rate_8h, 8, null
  from perp_1h_known(moment) h
  where h.funding_rate_8h is not null and h.ts >= first - interval '1 hour' and h.ts < last - interval '1 hour'
    and not exists (
      select from predicted_funding_known(moment) p
      where p.series_id = h.series_id and p.ts = h.ts + interval '1 hour' and p.ts >= first and p.ts < last)
$$
"""

# The last `many` settlements at or before an instant as they were known at a moment (null: as they are now), the newest
# first. `funding_known` gives the same rows, but no plan of it reads an index backwards: they would cost a whole history.
FUNDING_NEWEST = """
create function funding_newest(series integer, instant timestamptz, moment timestamptz, many integer)
returns table (ts timestamptz, rate float8, interval_hours float8, interval_known smallint)
language sql stable parallel safe as $$
  select * from (
    (select f.ts, f.rate, f.interval_hours, f.interval_known from funding f
     where f.series_id = series and f.ts <= instant and (moment is null or f.known_at <= moment)
     order by f.ts desc limit many)
    union all
    (select r.ts, (r.said->>'rate')::float8, (r.said->>'interval_hours')::float8, (r.said->>'interval_known')::smallint
     from revision r
     where moment is not null and r.fact = 'funding' and r.series_id = series and r.ts <= instant
       and r.known_at <= moment and r.replaced_at > moment
     order by r.ts desc limit many)
  ) newest order by newest.ts desc limit many
$$
"""

# What the settlements up to an instant tell of the interval of the last of them (`services.intervals.intervals_then`, of
# the last hundred): each that is declared, or spaced as exchanges do, tells one. Back from the newest, each that is a
# multiple of the one after it was a gap by then; the first that is not holds on where the newest is a multiple of it.
# Where none tells: what the exchange had declared by then, else what is assumed of it. `told_at`: the settlement that tells
# it; it is that of those after it too, and what is stored of those before it is owed to no settlement after the instant.
INTERVAL_THEN = """
create function interval_then(series integer, instant timestamptz, moment timestamptz)
returns table (interval_hours float8, interval_known integer, told_at timestamptz)
language sql stable parallel safe as $$
  with spaced as (
    select n.ts, case when n.interval_known = 2 then n.interval_hours end as said,
      extract(epoch from n.ts - lead(n.ts) over newest)::float8 / 3600 as spacing, row_number() over newest as place
    from funding_newest(series, instant, moment, 100) n window newest as (order by n.ts desc)
  ), telling as (
    select ts, place, said, hours, lag(hours) over (order by place) as following
    from (select *, coalesce(said, case when spacing in (1, 2, 4, 6, 8) then spacing end) as hours from spaced) told
    where hours is not null
  ), now as (
    select * from telling order by place limit 1
  ), held as (
    select hours from telling
    where following is not null and (said is not null or hours <= following or mod(hours::numeric, following::numeric) <> 0)
    order by place limit 1
  )
  select coalesce(case when v.open then held.hours else now.hours end, (
      select d.value::float8 from series s join instrument_fact d using (instrument_id)
      where s.id = series and d.fact = 'funding_interval_hours' and d.valid_from <= instant
        and (moment is null or d.known_at <= moment)
      order by d.valid_from desc limit 1
    ), (
      select e.funding_interval_hours
      from series s join instrument i on i.id = s.instrument_id join exchange e on e.id = i.exchange_id
      where s.id = series
    )),
    case when now.place > 1 or v.open then 0 when now.said is not null then 2 when now.place = 1 then 1 else 0 end,
    coalesce(now.ts, '-infinity')
  from (select) one left join now on true left join held on true
  cross join lateral (
    select now.said is null and now.hours > held.hours and mod(now.hours::numeric, held.hours::numeric) = 0 as open
  ) v
$$
"""

# The last settlement at or before an instant, as it was known at a moment (null: as it is now), with its interval as the
# settlements up to it tell: the one stored may be owed to later ones. Two equal spacings running need no further look.
FUNDING_LAST = """
create function funding_last(series integer, instant timestamptz, moment timestamptz)
returns table (ts timestamptz, rate float8, interval_hours float8, interval_known integer, told_at timestamptz)
language sql stable parallel safe as $$
  select l.ts, l.rate, v.hours, v.known, v.told_at
  from (
    select n.ts, n.rate, n.interval_hours, n.interval_known,
      extract(epoch from n.ts - lead(n.ts) over newest)::float8 / 3600 as spacing,
      n.ts - lead(n.ts) over newest = lead(n.ts) over newest - lead(n.ts, 2) over newest
        and lead(n.interval_known) over newest < 2 as again
    from funding_newest(series, instant, moment, 3) n window newest as (order by n.ts desc)
    order by n.ts desc limit 1
  ) l
  cross join lateral (
    select l.interval_known = 2 as declared, coalesce(l.again and l.spacing in (1, 2, 4, 6, 8), false) as steady
  ) is_
  cross join lateral (
    select case when is_.declared then l.interval_hours else l.spacing end as hours,
      case when is_.declared then 2 else 1 end as known, l.ts as told_at
    where is_.declared or is_.steady
    union all
    select t.interval_hours, t.interval_known, t.told_at from interval_then(series, instant, moment) t
    where not (is_.declared or is_.steady)
  ) v
$$
"""

# The interval an estimate of a contract told at a time is of, and how that is known (2 declared, 1 inferred, 0
# assumed): as told with it; else that of the settlement in force then, its own teller's first; else what the exchange
# declared by then; else that of the last settlement, however old. No row where none of these is known. What is not needed
# is not asked.
INTERVAL_AT = """
create function interval_at(instrument int, teller int, told float8, at timestamptz, moment timestamptz)
returns table (hours float8, how int)
language sql stable parallel safe as $$
  select found[1], found[2]::int from (select coalesce(
    case when told is not null then array[told, 2] end,
    (select array[f.interval_hours, least(f.interval_known, 1)] from funding_last(teller, at, moment) f
     where at <= f.ts + 1.5 * f.interval_hours * interval '1 hour'),
    (select array[f.interval_hours, least(f.interval_known, 1)]
     from series s cross join lateral funding_last(s.id, at, moment) f
     where s.instrument_id = instrument and s.id <> teller and at <= f.ts + 1.5 * f.interval_hours * interval '1 hour'
     order by s.preference, s.id limit 1),
    (select array[d.value::float8, 2] from instrument_fact d
     where d.instrument_id = instrument and d.fact = 'funding_interval_hours' and d.valid_from <= at
       and (moment is null or d.known_at <= moment)
     order by d.valid_from desc limit 1),
    (select array[f.interval_hours, 0] from series s cross join lateral funding_last(s.id, at, moment) f
     where s.instrument_id = instrument order by s.id <> teller, s.preference, s.id limit 1)
  ) as found offset 0) one where found is not null
$$
"""

# The settlement an estimate of a contract was of, where it is there by `until`: at the time it was told for; where none
# was, the one whose interval it was told in. From the preferred source. Its interval is as it was known by `until`.
SETTLED_FOR = """
create function settled_for(
  instrument int, told_at timestamptz, for_time timestamptz, until timestamptz, moment timestamptz)
returns table (ts timestamptz, rate float8, interval_hours float8)
language sql stable parallel safe as $$
  select f.ts, f.rate, f.interval_hours
  from series s
  cross join lateral (
    select k.ts, k.rate, v.interval_hours from funding_known(moment) k
    cross join lateral (
      select k.interval_hours where until is null
      union all
      select l.interval_hours from funding_last(s.id, k.ts, moment) l where until is not null
    ) v
    where k.series_id = s.id and (until is null or k.ts <= until)
      and k.ts >= coalesce(date_trunc('minute', for_time + interval '30 seconds'), told_at)
      and k.ts <= coalesce(date_trunc('minute', for_time + interval '30 seconds'), told_at + interval '1 day')
      and (for_time is not null or told_at > k.ts - v.interval_hours * interval '1 hour')
    order by k.ts limit 1
  ) f
  where s.instrument_id = instrument order by s.preference, s.id limit 1
$$
"""

# Two sources that tell of one perpetual, the preferred one first: of these entities and exchanges, where either is one of
# these sources (null: any).
TOLD_TWICE = """
create function told_twice(entities int[], exchanges text[], sources text[])
returns table (
  instrument_id int, entity_id int, exchange text, instrument text, series_id int, source text, other_id int,
  other_source text)
language sql stable parallel safe as $$
  select i.id, i.entity_id, e.slug, i.symbol, a.id, x.slug, b.id, y.slug
  from series a
  join series b on b.instrument_id = a.instrument_id and (a.preference, a.id) < (b.preference, b.id)
  join instrument i on i.id = a.instrument_id and i.kind = 'perp'
  join exchange e on e.id = i.exchange_id
  join source x on x.id = a.source_id
  join source y on y.id = b.source_id
  where case when entities is null then true else i.entity_id = any(entities) end
    and case when exchanges is null then true else e.slug = any(exchanges) end
    and case when sources is null then true else x.slug = any(sources) or y.slug = any(sources) end
$$
"""

# A source whose samples are of exchanges that nobody else vouches for is heard when it is asked for by name.
ONLY_ON_REQUEST = """
create function only_on_request(contract int)
returns boolean
language sql stable strict parallel safe as $$
  select exists (
      select from source_product p join source o on o.slug = p.source where p.instrument_id = contract and o.on_request
    )
    and exists (select from instrument i where i.id = contract and i.margin is null)
    and not exists (
      select from series s join source o on o.id = s.source_id where s.instrument_id = contract and not o.on_request
    )
$$
"""

# What open interest is in USD: as told, else its coins at the close of the last hour completed by then, of the four
# before. A table, so that it becomes part of the statement that reads it.
OPEN_INTEREST_USD = """
create function open_interest_usd(
  series int, instant timestamptz, oi_base float8, oi_usd float8, moment timestamptz)
returns table (usd float8)
language sql stable parallel safe as $$
  select coalesce(oi_usd, oi_base * (
    select h.close from perp_1h_known(moment) h
    where h.series_id = series and h.ts <= instant - interval '1 hour' and h.ts > instant - interval '4 hours'
      and h.close is not null
    order by h.ts desc limit 1))
$$
"""

# Open interest of a contract in USD at an instant, told within the two hours before, from the preferred source that is
# not heard on request only.
OPEN_INTEREST_OF = """
create function open_interest_of(contract int, instant timestamptz, moment timestamptz)
returns float8
language sql stable parallel safe as $$
  select v.usd
  from series s
  join source o on o.id = s.source_id
  cross join lateral (
    select k.ts, k.oi_usd, k.oi_base from open_interest_known(moment) k
    where k.series_id = s.id and k.ts <= instant and k.ts >= instant - interval '2 hours' order by k.ts desc limit 1
  ) h
  cross join lateral open_interest_usd(s.id, h.ts, h.oi_base, h.oi_usd, moment) v
  where s.instrument_id = contract and not o.on_request and v.usd is not null
  order by s.preference, s.id limit 1
$$
"""

# What pairs of contracts did in the hours before an instant. Persistence: at how many full hours the short leg's rate was
# higher, of those at which both had one. Realised: what the legs settled, less one another, over the stretches for which
# both are known. A settlement is for its interval before it, and for all the time since the one before, unless that is
# longer than 1.5 of its intervals: then it is a gap, and what the other leg settled in it does not count either.
PAIR_PAST = """
create function pair_past(shorts int[], longs int[], instant timestamptz, lookback int, moment timestamptz)
returns table (short_id int, long_id int, persistence float8, persistence_hours bigint,
  realised_spread float8, realised_hours float8)
language sql stable parallel safe as $$
  with settled as (
    select s.instrument_id, s.preference, s.id as series_id, f.ts, f.rate, f.rate * 8 / v.hours as rate_8h,
      v.hours * interval '1 hour' as took, f.ts + 1.5 * v.hours * interval '1 hour' as in_force_to,
      least(instant, lead(f.ts) over (partition by s.id order by f.ts) - interval '1 microsecond') as until
    from series s
    cross join lateral funding_last(s.id, instant, moment) l
    cross join lateral (
      select k.ts, k.rate, k.interval_hours from funding_known(moment) k
      where k.series_id = s.id and k.ts <= instant and k.ts > instant - interval '3 days' - lookback * interval '1 hour'
      offset 0
    ) f
    cross join lateral (select case when f.ts >= l.told_at then l.interval_hours else f.interval_hours end as hours) v
    where s.instrument_id = any(shorts || longs)
  ), hour as (
    select distinct on (instrument_id, g.ts) instrument_id, g.ts, case when g.ts <= in_force_to then rate_8h end as rate
    from settled, generate_series(
      greatest(date_trunc('hour', instant) - (lookback - 1) * interval '1 hour',
        date_trunc('hour', settled.ts - interval '1 microsecond') + interval '1 hour'),
      until, interval '1 hour') as g(ts)
    order by instrument_id, g.ts, (g.ts > in_force_to), preference, series_id
  ), stood as (
    select instrument_id, array_agg(rate order by ts desc) as hours from hour group by instrument_id
  ), once as (
    select *, lag(ts) over contract as before, lead(ts) over contract is null as newest
    from (select distinct on (instrument_id, ts) * from settled order by instrument_id, ts, preference, series_id) told
    window contract as (partition by instrument_id order by ts)
  ), paid as (
    select instrument_id, array_agg(ts order by ts) as times, array_agg(rate order by ts) as rates,
      sum(rate order by ts) filter (where ts > instant - lookback * interval '1 hour') as paid,
      range_agg(tstzrange(case when ts - before <= 1.5 * took then before else ts - took end,
        case when newest then instant else ts end, '(]'))
        * tstzmultirange(tstzrange(instant - lookback * interval '1 hour', instant, '(]')) as covered
    from once group by instrument_id
  ), leg as (
    select * from paid left join stood using (instrument_id)
  )
  select p.short_id, p.long_id, h.higher::float8 / nullif(h.both, 0), h.both, r.short - r.long, r.hours
  from unnest(shorts, longs) as p(short_id, long_id)
  join leg s on s.instrument_id = p.short_id
  join leg l on l.instrument_id = p.long_id
  cross join lateral (
    select count(t.short - t.long) as both, count(*) filter (where t.short > t.long) as higher
    from unnest(s.hours, l.hours) as t(short, long)
  ) h
  cross join lateral (select s.covered * l.covered as span) c
  cross join lateral (
    select case when c.span = s.covered then s.paid
        else (select sum(rate) from unnest(s.times, s.rates) as t(ts, rate) where ts <@ c.span) end as short,
      case when c.span = l.covered then l.paid
        else (select sum(rate) from unnest(l.times, l.rates) as t(ts, rate) where ts <@ c.span) end as long,
      (select sum(extract(epoch from upper(t) - lower(t)))::float8 / 3600 from unnest(c.span) as t) as hours
  ) r
$$
"""

# The rates of a series from an instant to another: the one in force at the first (`looked_up`: with its interval as the
# settlements by then tell), then every settlement, each until the next one or for 1.5 of its intervals. What is three days
# old is in force nowhere: no exchange lets two days pass between settlements.
FUNDING_STRETCHES = """
create function funding_stretches(
  series int, first timestamptz, last timestamptz, moment timestamptz, looked_up boolean)
returns table (settled_at timestamptz, rate float8, interval_hours float8, assumed boolean, until timestamptz)
language sql stable parallel safe as $$
  select f.ts, f.rate, f.interval_hours, f.interval_known = 0, least(last,
    f.ts + 1.5 * f.interval_hours * interval '1 hour', lead(f.ts) over (order by f.ts) - interval '1 microsecond')
  from (
    select k.ts, k.rate, k.interval_hours, k.interval_known
    from funding_newest(series, first, moment, 1) k where not looked_up and k.ts > first - interval '3 days'
    union all
    select k.ts, k.rate, k.interval_hours, k.interval_known
    from funding_last(series, first, moment) k where looked_up and k.ts > first - interval '3 days'
    union all
    select k.ts, k.rate, k.interval_hours, k.interval_known
    from funding_known(moment) k where k.series_id = series and k.ts > first and k.ts <= last
  ) f
$$
"""

DEFINITIONS = (
    *(CONTRACT_ORDER, FUNDING_NEWEST, INTERVAL_THEN, FUNDING_LAST, ESTIMATE_KNOWN, INTERVAL_AT, SETTLED_FOR, TOLD_TWICE),
    *(ONLY_ON_REQUEST, FACT_KNOWN, OPEN_INTEREST_USD),
    *(OPEN_INTEREST_OF, PAIR_PAST, FUNDING_STRETCHES),
)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.add_column("source", sa.Column("on_request", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    for definition in DEFINITIONS:
        op.execute(definition)
    op.create_table(
        "source_exchange",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("exchange_id", sa.Integer(), nullable=False),
        sa.Column("listed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(["exchange_id"], ["exchange.id"], name=op.f("fk_source_exchange_exchange_id")),
        sa.PrimaryKeyConstraint("source", "id", name=op.f("pk_source_exchange")),
    )
    op.add_column("coin_1h_ready", sa.Column("computed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "live_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("fact", sa.String(), nullable=False),
        sa.Column("rows", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_live_event")),
    )
    op.create_index("ix_live_event_at", "live_event", ["at"])


def downgrade() -> None:
    op.drop_table("live_event")
    op.execute("drop function funding_stretches(int, timestamptz, timestamptz, timestamptz, boolean)")
    op.execute("drop function pair_past(int[], int[], timestamptz, int, timestamptz)")
    op.execute("drop function open_interest_of(int, timestamptz, timestamptz)")
    op.execute("drop function told_twice(int[], text[], text[])")
    op.execute("drop function settled_for(int, timestamptz, timestamptz, timestamptz, timestamptz)")
    op.execute("drop function interval_at(int, int, float8, timestamptz, timestamptz)")
    op.execute("drop function estimate_known(timestamptz, timestamptz, timestamptz)")
    op.execute("drop function open_interest_usd(int, timestamptz, float8, float8, timestamptz)")
    op.execute("drop function instrument_fact_known(timestamptz)")
    op.execute("drop function only_on_request(int)")
    op.drop_column("source", "on_request")
    op.drop_table("source_exchange")
    op.drop_column("coin_1h_ready", "computed_at")
    op.execute("drop function funding_last(integer, timestamptz, timestamptz)")
    op.execute("drop function interval_then(integer, timestamptz, timestamptz)")
    op.execute("drop function funding_newest(integer, timestamptz, timestamptz, integer)")
    op.execute("drop function contract_order(text)")
