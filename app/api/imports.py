"""For operators: what was brought over the API and the command line, and taking it back."""

from typing import Annotated, ClassVar

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from app.api.deps import CommonDep, DatabaseDep, Slugs, admin, lower
from app.api.errors import Conflict, NotFound
from app.api.openapi import documented
from app.api.render import meta, render
from app.api.schemas import OutTime, Row, column
from app.services import batches

router = APIRouter(dependencies=[Depends(admin)])
TAG = "Admin"
DENIED = (401, 403)

ImportId = Annotated[
    int, Path(ge=1, lt=2**31, description="Number of an import: `import_id` in the answer to a write.")
]


class ImportRow(Row):
    """One write: who brought what, and what became of it."""

    keys: ClassVar[tuple[str, ...]] = ("id",)

    id: int = column("Number of the import.")
    dataset: str = column("What was brought.")
    source: str = column("Who told it, where rows do not say.")
    who: str = column("Name of the key, or `command line`.")
    via: str = column("`api` or `command line`.")
    file: str | None = column("The file, or what kind of body and how large.")
    started_at: OutTime = column("When it began.")
    finished_at: OutTime | None = column("When it ended; null: it runs.")
    received: int = column("Rows in it.")
    inserted: int = column("Of them new.")
    updated: int = column("Of them changed what was stored.")
    unchanged: int = column("Of them stored already, or told again by a later row.")
    rejected: int = column("Of them refused.")
    state: str = column("running, stored, failed (counts are of what was stored all the same) or taken_back.")
    taken_back_at: OutTime | None = column("When it was taken back.")


@router.get("/admin/imports", **documented(ImportRow, *DENIED, tag=TAG))
async def list_imports(
    db: DatabaseDep,
    common: CommonDep,
    source: Annotated[Slugs, Query(description="Only of these sources; comma list or repeated.")] = None,
    dataset: Annotated[Slugs, Query(description="Only of these datasets; comma list or repeated.")] = None,
    state: Annotated[batches.State | None, lower, Query(description="Only those that stand so.")] = None,
) -> Response:
    """Every write over the API and the command line, oldest first; `order=desc` for the newest."""
    await batches.settle(db)
    return await render(db, batches.imports(sources=source, datasets=dataset, state=state), ImportRow, common, meta())


@router.delete("/admin/imports/{id}", **documented(ImportRow, *DENIED, 404, 409, tag=TAG))
async def take_import_back(request: Request, db: DatabaseDep, common: CommonDep, id: ImportId) -> Response:
    """Take an import back: every answer is then as if it had never been. What others wrote later stays.

    Rows it brought are gone or say again what they said before, and so do their history, intervals and sums; assets,
    exchanges and instruments it made go where nobody else uses them. Doing it again changes nothing.
    """
    try:
        await batches.take_back(db, id)
    except batches.UnknownBatch as error:
        raise NotFound(f"No import {id}", code="unknown_import") from error
    except batches.RunningBatch as error:
        raise Conflict(f"Import {id} still runs. Take it back when it has ended", code="import_runs") from error
    request.app.state.written.set()
    response = await render(db, batches.imports(one=id), ImportRow, common, meta())
    response.headers["Cache-Control"] = "no-store"
    return response
