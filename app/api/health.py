"""For supervisors: is the process alive, can it answer, and numbers for Prometheus."""

import asyncio
from functools import cache
from pathlib import Path
from typing import Literal

from alembic.config import Config
from alembic.script import ScriptDirectory
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field
from starlette.responses import Response

from app import db as database_module
from app.api.deps import DatabaseDep
from app.api.errors import Unavailable
from app.api.quality import expected
from app.api.schemas import Out, problems

router = APIRouter(tags=["Health"])
PATIENCE_SECONDS = 2.0


class Live(Out):
    """The process answers."""

    status: Literal["live"] = Field(description="live")


class Ready(Out):
    """The process and its database answer."""

    status: Literal["ready"] = Field(description="ready")
    schema_version: str = Field(description="Revision of the database's schema.")


@cache
def heads() -> frozenset[str]:
    """The newest revisions of the schema this program knows."""
    folder = Path(database_module.__file__).parent
    packaged = folder / "alembic"
    config = Config()
    config.set_main_option("script_location", str(packaged if packaged.is_dir() else folder.parent / "alembic"))
    return frozenset(ScriptDirectory.from_config(config).get_heads())


@router.get("/health/live", responses=problems())
async def live() -> Live:
    """Always 200 while the process answers at all."""
    return Live(status="live")


@router.get("/health/ready", responses=problems(503))
async def ready(request: Request, db: DatabaseDep) -> Ready:
    """200 when the database answers, its schema is the one this program is for, and `/stream` follows it; 503 else."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        found: frozenset[str] = frozenset(
            row["version_num"] for row in await db.reads.fetch("select version_num from alembic_version")
        )
    if found != heads():
        detail = f"The database's schema is {', '.join(sorted(found)) or 'empty'}, not {', '.join(sorted(heads()))}"
        raise Unavailable(detail, code="schema_not_at_head")
    if failure := request.app.state.hub.failure:
        raise Unavailable(f"/stream has ended: {failure}", code="stream_ended")
    return Ready(status="ready", schema_version=", ".join(sorted(found)))


METRICS = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus text"}}


@router.get("/metrics", response_class=Response, responses={**METRICS, **problems(503)})
async def metrics(request: Request, db: DatabaseDep) -> Response:
    """For Prometheus: requests, pulls, rejects, age of the newest data, collectors, gaps, sizes, database pools."""
    state = request.app.state
    kept, folder = state.settings.kept_days, state.settings.disk_folder
    text = await state.metrics.scrape(db, expected(request), state.hub.readers, kept, folder)
    return Response(text, media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})
