"""The forms an answer comes in, and which of them an `Accept` header asks for."""

from collections.abc import Mapping
from typing import Literal, get_args

from app.api.errors import NotAcceptable

Form = Literal["json", "columns", "csv", "ndjson", "parquet", "arrow"]
FORMS: tuple[Form, ...] = get_args(Form)

MEDIA: Mapping[Form, str] = {
    "json": "application/json",
    "columns": "application/json",
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
_ASKED: Mapping[str, Form] = {
    "application/json": "json",
    "text/csv": "csv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/vnd.apache.parquet": "parquet",
    "application/vnd.apache.arrow.stream": "arrow",
}


def accepted(header: str | None) -> Form:
    """The form an `Accept` header likes best; of equals the first of ours. Raises NotAcceptable."""
    if header is None or not header.strip():
        return "json"
    ranges = [_range(part) for part in header.split(",")]
    liked: list[tuple[float, Form]] = [(_quality(media, ranges), form) for media, form in _ASKED.items()]
    best: tuple[float, Form] = max(liked, key=lambda found: found[0])
    if best[0] <= 0:
        offered = ", ".join(dict.fromkeys(MEDIA.values()))
        raise NotAcceptable(f"Accept: none of {offered} is in it", candidates=list(dict.fromkeys(MEDIA.values())))
    return best[1]


def _range(part: str) -> tuple[str, float]:
    media, *parameters = (word.strip().lower() for word in part.split(";"))
    given = next((word[2:] for word in parameters if word.startswith("q=")), "1")
    try:
        quality = float(given)
    except ValueError:
        return media, 0.0
    return media, quality if 0 <= quality <= 1 else 0.0


def _quality(media: str, ranges: list[tuple[str, float]]) -> float:
    """The quality of the most specific range that covers a media type."""
    for wanted in (media, media.split("/")[0] + "/*", "*/*"):
        found = [quality for name, quality in ranges if name == wanted]
        if found:
            return max(found)
    return 0.0


def media_type(form: Form) -> str:
    """The content type an answer of this form has."""
    return MEDIA[form] + ("; charset=utf-8" if form in ("csv", "ndjson") else "")
