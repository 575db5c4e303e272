"""How fresh the data is, and what was refused."""

from typing import Annotated, ClassVar

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, Slugs
from app.api.openapi import documented
from app.api.render import meta, render
from app.api.schemas import Out, OutTime, Row, column
from app.api.times import utc_now
from app.api.words import Text
from app.services import quality, standing

router = APIRouter()
TAG = "Quality"

SourcesParam = Annotated[Slugs, Query(description="Only of these sources; comma list or repeated.")]
DatasetsParam = Annotated[Slugs, Query(description="Only of these datasets; comma list or repeated.")]


class Freshness(Row):
    """How old the newest fact of one dataset of one source is."""

    keys: ClassVar[tuple[str, ...]] = ("source", "dataset")

    source: str = column("Who tells it.")
    dataset: str = column("Which dataset.")
    newest: OutTime | None = column(
        "Time of its newest fact; null: there is none (of what collectors tell: in 2 days), or it has no time."
    )
    age_s: float | None = column("How old that is (of instruments: since they were last listed).", "seconds")
    expected_every_s: float | None = column(
        "How often something new is due; null: not scheduled, or there is no saying.", "seconds"
    )
    late: bool | None = column("Whether it is overdue by two pulls, or not there at all; null: as above.")
    series: int = column("How many contracts it is told of (long_short, taker_volume: in its newest minute).")
    pulled_at: OutTime | None = column("When a pull last brought something; null: never.")


class RejectRow(Row):
    """Rows that were refused for one reason."""

    keys: ClassVar[tuple[str, ...]] = ("last_seen", "id")

    source: str = column("Who sent them.")
    dataset: str = column("What they were to be.")
    code: str = column("Stable name of the reason.")
    symbol: str | None = column("Whose they were; null: that could not be told.")
    reason: str = column("The reason, as of the last one.")
    count: int = column("How many.")
    first_seen: OutTime = column("When the first was refused.")
    last_seen: OutTime = column("When the last was refused.")
    id: int = column("Number of the entry.")


class Hint(Out):
    """An entity that something may be."""

    canonical_id: str = column("Its stable id.")
    name: str = column("Its name.")
    symbol: str = column("Its ticker.")
    type: str = column("chain, protocol, token, stablecoin, equity or index.")
    why: str = column("Which words are alike.")


class Unmapped(Row):
    """A thing a source lists, or a contract, that nobody is sure what it is."""

    keys: ClassVar[tuple[str, ...]] = ("source", "source_id_type", "source_id")

    source: str = column("Who lists it: a source, or an exchange.")
    source_id_type: str = column("What kind of id it goes by there; `instrument`: it is a contract.")
    source_id: str = column("Its id there.")
    name: str = column("Its name there; of a contract its base.")
    ticker: str | None = column("Its ticker there; null: not told.")
    coingecko_id: str | None = column("Its CoinGecko id, as told there; null: not told.")
    reason: str | None = column("Why it is nobody's.")
    candidates: list[Hint] = column("Up to five entities it may be, the likeliest first.")
    first_seen: OutTime = column("When it was first listed.")
    seen_at: OutTime = column("When it was last listed.")


def expected(request: Request) -> list[standing.Expected]:
    """What the settings have pulled or collected."""
    return standing.expected(request.app.state.sources, request.app.state.collected)


@router.get("/quality/freshness", **documented(Freshness, tag=TAG))
async def list_freshness(
    request: Request, db: DatabaseDep, common: CommonDep, source: SourcesParam = None, dataset: DatasetsParam = None
) -> Response:
    """How old the newest fact of every dataset of every source is, and which are late."""
    query = quality.freshness(expected(request), utc_now(), source, dataset)
    return await render(db, query, Freshness, common, meta())


@router.get("/quality/rejects", **documented(RejectRow, tag=TAG))
async def list_rejects(
    db: DatabaseDep, common: CommonDep, source: SourcesParam = None, dataset: DatasetsParam = None
) -> Response:
    """Rows that were refused, why, and how often; those refused last come last."""
    return await render(db, quality.rejects(source, dataset), RejectRow, common, meta())


@router.get("/quality/unmapped", **documented(Unmapped, tag=TAG))
async def list_unmapped(
    db: DatabaseDep,
    common: CommonDep,
    source: SourcesParam = None,
    id_type: Annotated[Slugs, Query(description="Only ids of these kinds; comma list or repeated.")] = None,
    q: Annotated[Text | None, Query(description="Part of an id, name or ticker, in any case.")] = None,
) -> Response:
    """What sources list and no entity has yet. `POST /entities/{asset}/source-ids` says whose it is."""
    return await render(db, quality.unmapped(source, id_type, q), Unmapped, common, meta())
