"""Names as callers write them: in any case, in comma lists or repeated; never with control characters."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

NAME_PATTERN: Final = r"^[^\x00-\x1f\x7f,]+$"
TEXT_PATTERN: Final = r"^[^\x00-\x1f\x7f]+$"
SLUG_PATTERN: Final = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$"
DURATION_PATTERN: Final = r"^[1-9][0-9]{0,5}[smhd]?$"
FORMS: Final[Mapping[str, str]] = {
    NAME_PATTERN: "a name without commas and control characters expected",
    TEXT_PATTERN: "text without control characters expected",
    SLUG_PATTERN: "letters, digits, _, . and - expected",
    DURATION_PATTERN: "a length of time expected: 90s, 30m, 2h, 1d, or seconds",
}
"""What is said of text that is not in these forms."""


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def split(value: object) -> object:
    """`a,b` and `a&b` alike; empty parts and repetitions are dropped, the order is kept."""
    if not isinstance(value, list):
        return value
    parts = [part.strip() for text in cast("list[Any]", value) for part in str(text).split(",")]
    return list(dict.fromkeys(part for part in parts if part)) or None


lower = BeforeValidator(_lower)
"""Takes an enumerated word in any case."""

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=128)]
"""How a thing is called by anybody: an asset, a native symbol."""

Text = Annotated[str, StringConstraints(pattern=TEXT_PATTERN, max_length=128)]
"""Words to look for."""


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has characters that cannot be printed")
    return text


_SHORT = StringConstraints(strip_whitespace=True, min_length=1, max_length=128)
Label = Annotated[str, _SHORT, AfterValidator(_printable)]
"""A name to be kept: printable, without space around it."""

Symbol = Annotated[Label, StringConstraints(pattern=NAME_PATTERN)]
"""A ticker to be kept: without commas, which separate names in lists."""

Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN, max_length=64, to_lower=True)]
"""A name of ours: an exchange, a source, a dataset."""

Names = Annotated[Annotated[list[Name], Field(max_length=500)] | None, BeforeValidator(split)]
Slugs = Annotated[Annotated[list[Slug], Field(max_length=100)] | None, BeforeValidator(split)]


def nearest(word: str, words: Sequence[str], count: int = 3, least: float = 0.5) -> list[str]:
    """The words a mistyped one may have meant, the likeliest first; `least`: how like at least, of 1."""
    spelled = {known.lower(): known for known in words}
    return [spelled[close] for close in get_close_matches(word.lower()[:128], list(spelled), count, least)]
