"""what options are read with: Black-76, interpolation, how they stand at an instant, the smile of each expiry."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NORMAL_CDF = """
create function normal_cdf(x float8) returns float8 language plpgsql immutable strict parallel safe as $$
declare
  y float8 := abs(x);
  square float8;
  tail float8;
begin
  -- W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969); relative error 1e-15
  if y <= 0.67448975 then
    square := y * y;
    return 0.5 + x * ((((0.065682337918207449113 * square + 2.2352520354606839287) * square + 161.02823106855587881)
      * square + 1067.6894854603709582) * square + 18154.981253343561249) / ((((square + 47.20258190468824187)
      * square + 976.09855173777669322) * square + 10260.932208618978205) * square + 45507.789335026729956);
  elsif y <= 5.656854249492380 then
    tail := ((((((((1.0765576773720192317e-8 * y + 0.39894151208813466764) * y + 8.8831497943883759412) * y
      + 93.506656132177855979) * y + 597.27027639480026226) * y + 2494.5375852903726711) * y + 6848.1904505362823326) * y
      + 11602.651437647350124) * y + 9842.7148383839780218) / ((((((((y + 22.266688044328115691) * y
      + 235.38790178262499861) * y + 1519.377599407554805) * y + 6485.558298266760755) * y + 18615.571640885098091) * y
      + 34900.952721145977266) * y + 38912.003286093271411) * y + 19685.429676859990727);
  elsif y < 37.5 then
    square := 1 / (y * y);
    tail := (0.398942280401432677939946 - square * (((((0.02307344176494017303 * square + 0.21589853405795699) * square
      + 0.1274011611602473639) * square + 0.022235277870649807) * square + 0.001421619193227893466) * square
      + 2.9112874951168792e-5) / (((((square + 1.28426009614491121) * square + 0.468238212480865118) * square
      + 0.0659881378689285515) * square + 0.00378239633202758244) * square + 7.29751555083966205e-5)) / y;
  else
    return case when x > 0 then 1 else 0 end;
  end if;
  -- the square of y in two parts, the first of few digits: else its rounding is what is left of exp
  square := trunc(y * 16) / 16;
  tail := exp(-square * square / 2) * exp(-(y - square) * (y + square) / 2) * tail;
  return case when x > 0 then 1 - tail else tail end;
end
$$
"""
BLACK76 = """
create function black76(option_type text, forward float8, strike float8, iv float8, years float8,
  out price float8, out delta float8, out gamma float8, out vega float8, out theta float8, out rho float8)
language plpgsql immutable parallel safe as $$
declare
  side int := case option_type when 'call' then 1 when 'put' then -1 end;
  root float8;
  d1 float8;
  density float8;
  exercised float8;
begin
  -- F. Black, "The pricing of commodity contracts" (1976), of one coin in USD, without interest; null where there is none
  if side is null or (forward > 0 and strike > 0 and iv > 0 and years > 0) is not true then
    return;
  end if;
  root := sqrt(years);
  d1 := ln(forward / strike) / (iv * root) + iv * root / 2;
  density := case when abs(d1) < 37 then exp(-d1 * d1 / 2) / sqrt(2 * pi()) else 0 end;
  exercised := normal_cdf(side * (d1 - iv * root));
  delta := side * normal_cdf(side * d1);
  price := greatest(forward * delta - side * strike * exercised, 0);
  gamma := density / (forward * iv * root);
  vega := forward * density * root / 100;
  theta := -forward * density * iv / (2 * root) * least(1 / 365.0::float8, years);
  rho := side * strike * years * exercised / 100;
end
$$
"""
INTERPOLATE = """
create function linear_at(xs float8[], ys float8[], x float8) returns float8 language sql immutable parallel safe as $$
  -- linear between the two nearest points, null beyond them; points of equal x count as their mean
  select case when low.x = high.x then low.y else low.y + (high.y - low.y) * ($3 - low.x) / (high.x - low.x) end
  from
    (select p.x, avg(p.y) as y from unnest(xs, ys) p(x, y) where p.x <= $3 and p.y is not null
      group by p.x order by p.x desc limit 1) low,
    (select p.x, avg(p.y) as y from unnest(xs, ys) p(x, y) where p.x >= $3 and p.y is not null
      group by p.x order by p.x limit 1) high
$$
"""
IS_VOLATILITY_INDEX = """
create function is_volatility_index(symbol text) returns boolean language sql immutable parallel safe as $$
  -- BTC-DVOL: the rule of `records.is_volatility_index`
  select symbol ilike '%-DVOL'
$$
"""
STATE = ("bid", "ask", "mark_price", "mark_iv", "underlying_price", "index_price", "open_interest", "volume_24h")
GREEKS = ("delta", "gamma", "vega", "theta", "rho")
NEWEST = """
create function {fact}_newest(series int, instant timestamptz, moment timestamptz)
returns table (ts timestamptz, {typed}) language sql stable parallel safe as $$
  -- what was told last in the day before; of what is stored and of what stood then each one row is read, whatever there is
  select * from (
    (select f.ts, {plain} from {fact} f
      where f.series_id = series and f.ts > instant - interval '1 day' and f.ts <= instant
        and (moment is null or f.known_at <= moment) and num_nonnulls({plain}) > 0
      order by f.ts desc limit 1)
    union all
    (select r.ts, {said} from revision r
      where moment is not null and r.fact = '{fact}' and r.series_id = series and r.ts > instant - interval '1 day'
        and r.ts <= instant and r.known_at <= moment and r.replaced_at > moment and num_nonnulls({said}) > 0
      order by r.ts desc limit 1)
  ) told order by ts desc limit 1
$$
"""
OPTION_STATE = """
create function option_state(
  entity int, instant timestamptz, exchanges text[], teller text, moment timestamptz, day timestamptz)
returns table (exchange text, instrument text, source text, quote text, expires_at timestamptz, strike float8,
  option_type text, ts timestamptz, years float8, bid float8, ask float8, mark_price float8, mark_iv float8,
  underlying_price float8, index_price float8, open_interest float8, volume_24h float8, forward float8)
language sql stable parallel safe as $$
  -- how each option that lives at an instant stood last in the day before, as whoever told that last has it; the forward
  -- of an expiry is the underlying price that was told last of any of its options
  select told.*, first_value(underlying_price) over (partition by told.exchange, told.quote, told.expires_at
    order by underlying_price is null, told.ts desc, told.instrument collate "C")
  from (
    select distinct on (i.id) e.slug as exchange, i.symbol as instrument, o.slug as source, i.quote, i.expires_at,
      i.strike, i.option_type, k.ts, extract(epoch from i.expires_at - k.ts)::float8 / 31536000 as years, k.bid, k.ask,
      k.mark_price, k.mark_iv, k.underlying_price, k.index_price, k.open_interest, k.volume_24h
    from instrument i
    join exchange e on e.id = i.exchange_id
    join series s on s.instrument_id = i.id
    join source o on o.id = s.source_id
    cross join lateral option_1m_newest(s.id, instant, moment) k
    where i.entity_id = entity and i.kind = 'option' and i.expires_at > instant
      and (i.listed_at is null or i.listed_at <= instant) and (i.delisted_at is null or i.delisted_at > instant)
      and (day is null or i.expires_at >= day and i.expires_at < day + interval '1 day')
      and (exchanges is null or e.slug = any(exchanges))
      and case when teller is null then not o.on_request else o.slug = teller end
    order by i.id, k.ts desc, s.preference, s.id
  ) told
$$
"""
OPTION_SMILE = """
create function option_smile(
  entity int, instant timestamptz, exchanges text[], teller text, moment timestamptz, day timestamptz)
returns table (exchange text, quote text, expires_at timestamptz, ts timestamptz, forward float8, options bigint,
  call_open_interest float8, put_open_interest float8, call_open_interest_usd float8, put_open_interest_usd float8,
  call_volume float8, put_volume float8, atm_iv float8, call_iv_25d float8, put_iv_25d float8)
language sql stable parallel safe as $$
  -- one row an expiry: what its options are together, the IV at the forward and where delta is 0.25 and -0.25
  select exchange, quote, expires_at, max(ts), forward, count(*),
    sum(open_interest) filter (where option_type = 'call'), sum(open_interest) filter (where option_type = 'put'),
    sum(usd) filter (where option_type = 'call'), sum(usd) filter (where option_type = 'put'),
    sum(volume_24h) filter (where option_type = 'call'), sum(volume_24h) filter (where option_type = 'put'),
    linear_at(array_agg(strike), array_agg(mark_iv), forward),
    linear_at(array_agg(delta) filter (where option_type = 'call' and strike >= forward),
      array_agg(mark_iv) filter (where option_type = 'call' and strike >= forward), 0.25),
    linear_at(array_agg(delta) filter (where option_type = 'put' and strike <= forward),
      array_agg(mark_iv) filter (where option_type = 'put' and strike <= forward), -0.25)
  from (
    select o.*, b.delta, o.open_interest * coalesce(o.index_price, o.underlying_price) as usd
    from option_state(entity, instant, exchanges, teller, moment, day) o
    cross join lateral black76(o.option_type, o.underlying_price, o.strike, o.mark_iv, o.years) b
  ) held
  group by exchange, quote, expires_at, forward
$$
"""


def create_newest(fact: str, columns: tuple[str, ...]) -> None:
    typed = ", ".join(f"{name} float8" for name in columns)
    plain = ", ".join(f"f.{name}" for name in columns)
    said = ", ".join(f"(r.said->>'{name}')::float8" for name in columns)
    op.execute(NEWEST.format(fact=fact, typed=typed, plain=plain, said=said))


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    lives = sa.text("expires_at is not null")
    op.create_index("ix_instrument_expires_at", "instrument", ["entity_id", "expires_at"], postgresql_where=lives)
    create_newest("option_1m", STATE)
    create_newest("greeks", GREEKS)
    for function in (NORMAL_CDF, BLACK76, INTERPOLATE, IS_VOLATILITY_INDEX, OPTION_STATE, OPTION_SMILE):
        op.execute(function)


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    same = "(int, timestamptz, text[], text, timestamptz, timestamptz)"
    op.execute(f"drop function option_smile{same}")
    op.execute(f"drop function option_state{same}")
    for fact in ("option_1m", "greeks"):
        op.execute(f"drop function {fact}_newest(int, timestamptz, timestamptz)")
    op.execute("drop function is_volatility_index(text)")
    op.execute("drop function linear_at(float8[], float8[], float8)")
    op.execute("drop function black76(text, float8, float8, float8, float8)")
    op.execute("drop function normal_cdf(float8)")
    op.drop_index("ix_instrument_expires_at", "instrument")
