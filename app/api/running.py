"""For operators: what went wrong, and how much is stored."""

from dataclasses import asdict
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, Slugs, Time, admin
from app.api.openapi import documented
from app.api.render import meta, render, render_known
from app.api.schemas import OutTime, Row, column
from app.api.times import utc_now
from app.services import error_log, storage
from app.services.growth import Forecast

router = APIRouter(dependencies=[Depends(admin)])
TAG = "Admin"
DENIED = (401, 403)


class ErrorRow(Row):
    """Something that went wrong."""

    keys: ClassVar[tuple[str, ...]] = ("time", "id")

    id: int = column("Number of the entry.")
    time: OutTime = column("When it was written down.")
    place: str = column("Which part: pull, backfill, collector, repair, retention or request.")
    source: str | None = column("Of which source; null: of none.")
    dataset: str | None = column("Of which dataset; null: of none.")
    code: str = column("Stable name of the kind of error.")
    message: str = column("What happened, without secrets.")
    context: dict[str, Any] = column("What it was about: number of the pull, id and path of the request, and so on.")


class StorageRow(Row):
    """How much one table holds, all its partitions and indexes together."""

    keys: ClassVar[tuple[str, ...]] = ("table",)

    table: str = column("Name of the table.")
    rows_estimated: int | None = column("About how many rows, as the planner estimates; null: not estimated yet.")
    bytes: int = column("Size with indexes.", "bytes")
    index_bytes: int = column("Of it indexes.", "bytes")
    partitions: int | None = column("How many partitions (or chunks); null: it has none.")
    first_partition: OutTime | None = column("Where the oldest partition begins.")
    last_partition: OutTime | None = column("Where the newest partition begins.")
    bytes_per_day: float | None = column(
        "What a day adds, by the last days that ended; null: it is not cut by time, or no day has ended yet.", "bytes"
    )
    settles_at_bytes: float | None = column("What it comes to by retention; null: it is kept for ever.", "bytes")
    retention_days: int | None = column("How long rows are kept; null: for ever.", "days")
    removed_before: OutTime | None = column("Retention removed what was before; null: nothing was.")
    compressed_partitions: int | None = column("How many partitions are compressed; null: none.")
    compressed_bytes: int | None = column("Size of these.", "bytes")
    bytes_before_compression: int | None = column("Size of these before.", "bytes")


class ForecastRow(Row):
    """How long the disk lasts."""

    keys: ClassVar[tuple[str, ...]] = ("database_bytes",)

    database_bytes: int = column("Size of the whole database.", "bytes")
    bytes_per_day: float | None = column("What a day adds to tables that are cut by time; null: not known.", "bytes")
    settles_at_bytes: float | None = column(
        "What it comes to when retention drops as much as is added; null: it goes on growing, or not known.", "bytes"
    )
    disk_total_bytes: int | None = column("Size of the disk it is on; null: not known.", "bytes")
    disk_used_bytes: int | None = column("Of it used, by anybody.", "bytes")
    disk_free_bytes: int | None = column("Of it free.", "bytes")
    full_in_days: float | None = column("Days until nothing is free; null: never, or not known.", "days")


@router.get("/admin/errors", **documented(ErrorRow, *DENIED, tag=TAG))
async def list_errors(
    db: DatabaseDep,
    common: CommonDep,
    place: Annotated[Slugs, Query(description="Only of these parts; comma list or repeated.")] = None,
    source: Annotated[Slugs, Query(description="Only of these sources; comma list or repeated.")] = None,
    since: Annotated[Time | None, Query(description="Only from then on.")] = None,
) -> Response:
    """What went wrong in the last 30 days, oldest first; `order=desc` for the newest."""
    return await render(db, error_log.errors(place, source, since), ErrorRow, common, meta())


@router.get("/admin/storage", **documented(StorageRow, *DENIED, tag=TAG))
async def get_storage(request: Request, db: DatabaseDep, common: CommonDep) -> Response:
    """Bytes and rows of each table, how long it is kept, what a day adds, and what is compressed."""
    rows = await storage.tables(db, request.app.state.settings.kept_days, utc_now())
    return await render_known(db, rows, StorageRow, common, meta())


@router.get("/admin/storage/forecast", **documented(ForecastRow, *DENIED, tag=TAG))
async def get_forecast(request: Request, db: DatabaseDep, common: CommonDep) -> Response:
    """How long the disk lasts: what the database grows by a day, what retention settles at, when the disk is full.

    The disk is known of the embedded PostgreSQL, and of another one where `PERPSTORE_DATABASE_DIR` says where it is.
    """
    settings = request.app.state.settings
    found = await storage.tables(db, settings.kept_days, utc_now())
    told = await storage.forecast(db, found, settings.disk_folder)
    return await render_known(db, [_row(told)], ForecastRow, common, meta(notices=_notices(told)))


def _row(told: Forecast) -> dict[str, Any]:
    disk = asdict(told.disk) if told.disk else dict.fromkeys(("total", "used", "free"))
    return {**asdict(told), **{f"disk_{name}_bytes": value for name, value in disk.items()}}


def _notices(told: Forecast) -> list[str]:
    """Why something is not known."""
    unknown = "the disk is not known: set PERPSTORE_DATABASE_DIR to a folder on the disk the database is on"
    early = "no day of any table has ended yet: what a day adds is not known"
    return [*([] if told.disk else [unknown]), *([early] if told.bytes_per_day is None else [])]
