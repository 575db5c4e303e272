"""What is told of an instant, laid into the row of its minute: liquidations always, samples where they are imported.

Who collects minutes as they pass writes their samples himself. Whoever lays holds the locks of both facts.
"""

from collections.abc import Mapping
from datetime import datetime

from app.db import Driver
from app.services import merge, partitions
from app.services.queries import sql

FACT = "perp_1m"
LIQUIDATION = ("liquidation_price", "long_liquidation_base", "short_liquidation_base")
SAMPLED: Mapping[str, Mapping[str, str]] = {
    "open_interest": {"oi_base": "oi_base", "oi_usd": "oi_usd"},
    "predicted_funding": {"rate": "predicted_rate", "interval_hours": "predicted_interval_hours"},
}
"""Facts that are samples: their columns, and those of a minute that they are laid into."""


def are_laid(fact: str, batch: int | None) -> bool:
    """Whether rows of a fact, of an import or (None) pulled, are laid into minutes."""
    return fact == "liquidation" or (fact in SAMPLED and batch is not None)


def locked(fact: str, batch: int | None) -> list[str]:
    """The facts whose locks are needed to store rows of this one, in the order they are taken in."""
    return sorted({fact, FACT} if are_laid(fact, batch) else {fact})


async def days(copy: Driver, fact: str) -> set[datetime]:
    """The days on which rows that are staged will be laid; series that are yet to be made are counted in."""
    if fact == "liquidation":
        found = await copy.fetch("select distinct date_trunc('day', ts, 'UTC') as day from stage")
    else:
        minute = sql("minutes", "sample")
        found = await copy.fetch(f"select distinct date_trunc('day', ts, 'UTC') as day from ({minute}) m")
    return {row["day"] for row in found}


async def lay(copy: Driver, fact: str, batch: int | None) -> None:
    """Lay what was staged and stored of `fact` into its minutes, as told by import `batch` (None: a pull).

    Liquidations: the sums over all that are stored of the minute, and their mean price by quantity. Samples: the last
    one of the minute. Minutes that retention removed stay removed.
    """
    columns = LIQUIDATION if fact == "liquidation" else tuple(SAMPLED[fact].values())
    await copy.execute(f"create temporary table laid on commit drop as {_laid(fact, columns)}")
    await copy.execute(f"drop table {merge.STAGE}; alter table laid rename to {merge.STAGE}")
    await copy.execute("alter table touched rename to touched_first")
    await copy.execute(merge.TOUCHED_FROM_STAGE)
    await partitions.unpack(copy, FACT)
    await merge.merge(copy, FACT, ("series_id", "ts", *columns, "known_at"), once=True, batch=batch)
    if batch is not None:
        await copy.execute(sql("batches", "note_spans"), batch, FACT)
    await copy.execute("drop table touched; alter table touched_first rename to touched")


def _laid(fact: str, columns: tuple[str, ...]) -> str:
    if fact == "liquidation":
        return f"select series_id, ts, {', '.join(columns)}, known_at, true as own from ({sql('minutes', fact)}) m"
    picked = ", ".join(f"t.{column} as {name}" for column, name in SAMPLED[fact].items())
    return f"""select m.series_id, m.ts, {picked}, m.known_at, true as own
      from ({sql("minutes", "sample")}) m join {merge.STAGE} t on t.ctid = m.place"""


async def tell_again(copy: Driver, batch: int) -> None:
    """Minutes of which `word` has what was told of them, without the liquidations of an import that were taken back."""
    await copy.execute(sql("minutes", "tell_again"), batch)
