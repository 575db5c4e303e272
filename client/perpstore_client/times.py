"""Instants as callers write them, as whole microseconds since 1970 in UTC."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, Union

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Moment: TypeAlias = Union[datetime, date, int, str, "np.datetime64"]
"""A datetime (a pandas Timestamp is one), a date (midnight), epoch seconds or milliseconds, or RFC 3339 text.

What names no offset is UTC.
"""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
HOUR_US = 3_600_000_000
SECONDS_BELOW = 100_000_000_000
FORMS = "a datetime, epoch seconds or milliseconds, or RFC 3339 as in 2026-03-02T07:30:00Z expected"
MILLISECONDS_BELOW = 4_133_980_800_000
"""Epoch numbers are told apart by size, as the server does: seconds, then milliseconds until the year 2101."""


def microseconds(moment: Moment) -> int:
    """Epoch microseconds; finer fractions are cut off. Raises ValueError, or TypeError for what is no time."""
    return _READERS.get(type(moment), _other)(moment)


def _epoch(number: int) -> int:
    size = abs(number)
    if size < SECONDS_BELOW:
        return number * 1_000_000
    if size < MILLISECONDS_BELOW:
        return number * 1_000
    raise ValueError(f"{number} is neither epoch seconds nor milliseconds before 2101: {FORMS}")


def _since(moment: datetime) -> int:
    """Exact: a float of seconds is, to the microsecond, for two centuries around 1970."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1e6)


def _text(moment: str) -> int:
    text = moment.strip()
    try:
        return _epoch(int(text)) if text.lstrip("-").isdecimal() else _since(datetime.fromisoformat(text))
    except ValueError as error:
        raise ValueError(f"{moment!r} is no time: {FORMS}") from error


def _midnight(moment: date) -> int:
    return _since(datetime(moment.year, moment.month, moment.day, tzinfo=UTC))


_READERS: Mapping[type, Callable[[Any], int]] = {int: _epoch, datetime: _since, str: _text, date: _midnight}


def _other(moment: Any) -> int:
    """Kinds of these types, and numpy's. What pandas holds are nanoseconds."""
    if moment != moment:
        raise ValueError(f"{moment!r} is no time: {FORMS}")
    if isinstance(moment, datetime):
        return moment.value // 1000 if type(moment).__module__.startswith("pandas") else _since(moment)  # type: ignore[attr-defined]
    if isinstance(moment, str | date):
        return _text(moment) if isinstance(moment, str) else _midnight(moment)
    if type(moment).__module__ == "numpy":
        return _of_numpy(moment)
    raise TypeError(f"a time expected, not {type(moment).__name__}")


def _of_numpy(moment: Any) -> int:
    """`numpy.datetime64`, or an integer of numpy's."""
    if moment.dtype.kind == "M":
        return int(moment.astype("datetime64[us]").astype("int64"))
    if moment.dtype.kind in "iu":
        return _epoch(int(moment))
    raise TypeError(f"a time expected, not {moment.dtype}")


def many_microseconds(moments: "Iterable[Moment] | NDArray[Any]") -> "NDArray[np.int64]":
    """The same of an array, a pandas index or column, or any other collection of times."""
    import numpy as np

    kind = str(getattr(moments, "dtype", ""))
    if kind.startswith("datetime64"):
        return np.asarray(moments, dtype="datetime64[us]").astype(np.int64)
    return np.fromiter((microseconds(moment) for moment in moments), dtype=np.int64)


def written(moment: Moment) -> str:
    """RFC 3339 in UTC."""
    return rfc_3339(microseconds(moment))


def rfc_3339(us: int) -> str:
    """The same of epoch microseconds."""
    return (EPOCH + us * MICROSECOND).isoformat().replace("+00:00", "Z")
