"""Options several commands share."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else there.")]
Assets = Annotated[list[str] | None, typer.Option("--asset", metavar="ASSET", help="Only these; repeat, or commas.")]
Exchanges = Annotated[
    list[str] | None, typer.Option("--exchange", metavar="EXCHANGE", help="Only these; repeat, or commas.")
]


def words(given: Iterable[str] | None) -> list[str]:
    """What was given by repetition and with commas, as one list."""
    return [word.strip() for part in given or () for word in part.split(",") if word.strip()]


def pairs(given: Iterable[str] | None, option: str) -> dict[str, str]:
    """`a=b` words as a mapping; `--map a=` leaves a column out."""
    found = [word.partition("=") for word in given or ()]
    for left, equals, right in found:
        if not (left and equals and (right or option == "--map")):
            raise typer.BadParameter(f"{option} {left}{equals}{right}: two names with = between them expected")
    return {left: right for left, _, right in found}


def moment(option: str, text: str | None) -> datetime | None:
    """A time as rows may have it: RFC 3339, a date, or epoch seconds or milliseconds; UTC where no offset is told."""
    if text is None:
        return None
    import pyarrow as pa

    from app.services.importing.values import EPOCH, times

    read = times(pa.array([text.strip()]))
    if read.bad[0] or read.missing[0]:
        reason = "a time expected: RFC 3339, a date, or epoch seconds or milliseconds"
        raise typer.BadParameter(f"{option} {text}: {reason}")
    return EPOCH + timedelta(microseconds=int(read.values[0]))
