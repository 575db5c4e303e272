"""What retention removed: 410 where all that was asked for is gone, a notice where some of it is."""

from datetime import UTC, datetime, timedelta

from app.api.errors import Gone
from app.api.perps import EPOCH, MINUTE
from app.api.render import WhyEmpty
from app.api.times import Window
from app.db import Database
from app.services.retention import removed_before


async def kept(
    db: Database,
    fact: str | tuple[str, ...],
    window: Window,
    why_empty: WhyEmpty | None,
    step: timedelta | None = MINUTE,
) -> tuple[Window, WhyEmpty | None]:
    """The window, with a notice where it begins before what is kept of `fact`; and the question why there are no rows.

    Of several facts an answer is made of, what is removed of all of them is gone. Where the window (or what closed by
    its `at`, rows being `step` long; None: what was told by its `at`) lies wholly before, asking that raises Gone: so
    rows that were brought again meanwhile are still answered. Both go on to `meta` and `render`, in any form.
    """
    before = await removed_before(db, *([fact] if isinstance(fact, str) else fact))
    if before is None or window.start >= before + (step if window.at and step else timedelta()):
        return window, why_empty
    if _end(window, step) > before:
        return window.noting(f"rows before {_stamp(before)} are not kept any more"), why_empty

    async def gone() -> str | None:
        raise Gone(f"What was before {_stamp(before)} is not kept any more (retention): ask for times from then on")

    return window, gone


def _end(window: Window, step: timedelta | None) -> datetime:
    """Before when all rows that may answer begin."""
    if window.at is None or step is None:
        return window.end
    return EPOCH + (window.at - EPOCH) // step * step


def _stamp(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
