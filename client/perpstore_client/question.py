"""What is asked, as a value: a path, its parameters, and how the answer is to be read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import quote

import pyarrow as pa

from perpstore_client.times import Moment, written

Answer = TypeVar("Answer", covariant=True)
Parameter: TypeAlias = "Moment | float | bool | Sequence[str] | None"
Words: TypeAlias = "str | Sequence[str] | None"
ARROW = "application/vnd.apache.arrow.stream"


def from_arrow(body: bytes) -> pa.Table:
    """The whole of an Arrow stream. Raises `pyarrow.ArrowException` where it is not all there."""
    with pa.ipc.open_stream(body) as reader:
        return reader.read_all()


@dataclass(frozen=True, slots=True)
class Question:
    """One request: with a body it is a POST. `read` makes a table of the bytes that are answered."""

    path: str
    parameters: Mapping[str, str]
    body: bytes | None = None
    accept: str = ARROW
    read: Callable[[bytes], pa.Table] = from_arrow
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def question(*path: str | None, **parameters: object) -> Question:
    """GET of a path made of these words (absent ones left out), which may hold any character."""
    words = [quote(word, safe="") for word in path if word is not None]
    return Question("/" + "/".join(words), spelled(parameters))


def asked_for(path: str, parameters: Mapping[str, object]) -> Question:
    """GET of a path as it stands, with or without its first slash."""
    return Question("/" + path.lstrip("/"), spelled(parameters))


def spelled(parameters: Mapping[str, object]) -> dict[str, str]:
    """Parameters as a query has them: lists with commas, times in RFC 3339; None is left out."""
    return {name: _spelled(value) for name, value in parameters.items() if value is not None}


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, date):
        return written(value)
    if type(value).__module__ == "numpy":
        return written(value) if value.dtype.kind == "M" else str(value.item())
    return ",".join(map(str, value))


class Asking(Generic[Answer]):
    """Who asks: `Answer` is a frame, or what can be awaited for one."""

    def _ask(self, asked: Question) -> Answer:
        raise NotImplementedError

    def get(self, path: str, **parameters: Parameter) -> Answer:
        """Any path that answers with rows: `get("/funding/BTC", per="1y")`.

        Raises a `PerpstoreError`.
        """
        return self._ask(asked_for(path, parameters))
