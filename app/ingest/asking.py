"""One question to an upstream, and how often it may be asked. Sources take these words from `app.ingest.spec`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from app.ingest.wire import Json


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: path under the source's base URL, query, JSON body and what it costs of which budget.

    `base` is another host of the source, where it has several; `host`, known only as it is sent, what the settings make
    of that. `headers` are those of this request alone.
    """

    path: str
    method: Literal["GET", "POST"] = "GET"
    params: tuple[tuple[str, str], ...] = ()
    body: Json = None
    costs: tuple[tuple[str, float], ...] = ()
    base: str | None = None
    host: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


def get(path: str, *, costs: Mapping[str, float], **params: object) -> Request:
    """A GET of `path`; parameters that are None are left out."""
    query = tuple((name, str(value)) for name, value in params.items() if value is not None)
    return Request(path, params=query, costs=tuple(costs.items()))


def at(base: str, request: Request) -> Request:
    """The same request to another host of its source."""
    return replace(request, base=base)


def post(path: str, body: Json, *, costs: Mapping[str, float]) -> Request:
    """A POST of a JSON body to `path`."""
    return Request(path, method="POST", body=body, costs=tuple(costs.items()))


@dataclass(frozen=True, slots=True)
class Budget:
    """`limit` units in every `period`.

    `used_header` tells what the upstream has counted, `clock_aligned` that its period begins with the clock's.
    """

    limit: float
    period: timedelta
    used_header: str | None = None
    clock_aligned: bool = False
