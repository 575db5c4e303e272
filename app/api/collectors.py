"""For operators: the live collectors."""

from typing import Annotated, ClassVar, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, Slugs, admin, lower
from app.api.openapi import documented
from app.api.render import meta, render
from app.api.schemas import OutTime, Row, column
from app.db import Database
from app.services import collectors
from app.settings import Settings

router = APIRouter(dependencies=[Depends(admin)])

State = Literal["connecting", "connected", "waiting", "closed"]


class CollectorRow(Row):
    """One connection to an exchange, or one poll, by which minutes and ticks are collected as they pass."""

    keys: ClassVar[tuple[str, ...]] = ("id",)

    id: str = column("`source:socket:number` or `source:poll:dataset`; of ticks their currency is in it too.")
    source: str = column("Who is listened to.")
    channel: str = column("The path of the socket, or the dataset that is polled.")
    state: str = column("connecting, connected, waiting (before the next try) or closed.")
    subscriptions: int = column("Topics subscribed for and taken, or contracts polled.")
    started_at: OutTime = column("When it began; its counts are since then.")
    connected_at: OutTime | None = column("When the connection was opened that it has now, or had last.")
    last_message_at: OutTime | None = column("When the last message came.")
    age_s: float | None = column("How long ago that is.", "seconds")
    messages: int = column("Messages that came.")
    messages_per_s: float | None = column("Messages a second, in the last few seconds.")
    lag_s: float | None = column("Age of the newest row by the exchange's clock, at `updated_at`.", "seconds")
    dropped: int = column("Messages and rows that could not be read, and rows that could not be stored.")
    reconnects: int = column("How often the connection was opened anew.")
    error: str | None = column("What went wrong last.")
    updated_at: OutTime = column("When it told this of itself.")


@router.get("/admin/collectors", **documented(CollectorRow, 401, 403, tag="Admin"))
async def list_collectors(
    request: Request,
    db: DatabaseDep,
    common: CommonDep,
    source: Annotated[Slugs, Query(description="Only of these sources; comma list or repeated.")] = None,
    state: Annotated[State | None, lower, Query(description="Only those that stand so.")] = None,
) -> Response:
    """The live collectors: sockets and polls by which minutes and ticks are collected, and how each fares.

    There are none where no process runs the schedule with `PERPSTORE_STREAMS` on, and none runs `perpstore collect`. A
    process that was killed leaves its rows as they were: `updated_at` tells.
    """
    settings = request.app.state.settings

    async def why() -> str:
        return await _why(db, settings)

    return await render(db, collectors.collectors(source, state), CollectorRow, common, meta(), why_empty=why)


async def _why(db: Database, settings: Settings) -> str:
    there, instruments = await collectors.there(db)
    if there:
        return "no rows: no collector is left by these filters"
    if not settings.scheduler:
        return "no rows: this process runs no schedule (PERPSTORE_SCHEDULER is off), and no other collects"
    if not settings.streams:
        return "no rows: PERPSTORE_STREAMS is off"
    if not instruments:
        return "no rows: no instruments known yet; collectors begin when they were fetched"
    return "no rows: no collector has begun yet"
