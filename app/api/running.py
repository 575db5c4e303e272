"""For operators: what went wrong, and how much is stored."""

from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, Slugs, Time, admin
from app.api.openapi import documented
from app.api.render import meta, render, render_known
from app.api.schemas import OutTime, Row, column
from app.services import error_log, storage

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
    retention_days: int | None = column("How long rows are kept; null: for ever.", "days")
    removed_before: OutTime | None = column("Retention removed what was before; null: nothing was.")
    compressed_partitions: int | None = column("How many partitions are compressed; null: none.")
    compressed_bytes: int | None = column("Size of these.", "bytes")
    bytes_before_compression: int | None = column("Size of these before.", "bytes")


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
    """Bytes and rows of each table, how long it is kept, and what is compressed."""
    rows = await storage.tables(db, request.app.state.settings.kept_days)
    return await render_known(db, rows, StorageRow, common, meta())
