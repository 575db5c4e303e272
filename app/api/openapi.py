"""What the API says of itself: media types, problems, tags and real examples in `/openapi.json`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from app.api.schemas import Problem, Row, all_rows, answers, fields

NOT_FACTS = frozenset({"Reference", "Quality", "Admin", "Health"})
EXAMPLES = Path(__file__).parent / "examples.json"

DESCRIPTION = """
Crypto derivatives of every exchange on one basis: funding, open interest and candles, point in time.

* **Time** in: RFC 3339, a plain date (UTC midnight), or integer epoch seconds or milliseconds. Out: RFC 3339 in UTC.
  `start` is inclusive, `end` exclusive; the last 24 hours where neither is given.
* **Names** in any case; lists by commas or repetition. A parameter that does not exist is refused.
* **Forms**: `format=json|columns|csv|ndjson|parquet|arrow`, or `Accept`. All but the first two stream the whole window,
  with what JSON has in `meta` in the header `X-Perpstore-Meta` and in the schema of Parquet and Arrow.
* **Rates** are fractions. What is absent is `null`, never zero.
* **Errors** are `application/problem+json` (RFC 9457) with a stable `code`.
* **Keys**: `Authorization: Bearer <key>`. Reading is open unless the operator says otherwise.
"""

TAGS = [
    {"name": "Funding", "description": "Settled and predicted funding, weighted means, carry."},
    {"name": "Spreads", "description": "Short one exchange, long another: over time, and ranked after fees."},
    {"name": "Open interest", "description": "One-sided open interest in coins and USD."},
    {"name": "Candles", "description": "Prices and volumes, and wicks."},
    {"name": "Positions", "description": "Long/short ratio, what takers bought and sold, liquidations."},
    {"name": "Options", "description": "Chains, surfaces, greeks and ticks of options; indexes; order books."},
    {"name": "Minutes", "description": "The minute warehouse: slices of minutes, their changes, all assets at once."},
    {"name": "Fundamentals", "description": "Metrics of entities, by source and side by side."},
    {"name": "Live", "description": "What becomes known, as it is stored."},
    {"name": "Reference", "description": "What exists: entities, exchanges, sources, datasets, instruments."},
    {"name": "Writing", "description": "Bring your own facts."},
    {"name": "Quality", "description": "How fresh and how complete the data is."},
    {"name": "Admin", "description": "Pulls, jobs and imports. Needs a key with scope `admin`."},
    {"name": "Health", "description": "For supervisors and Prometheus."},
]


def documented(
    row: type[Row], *statuses: int, tag: str, others: Sequence[type[Row]] = (), **more: Any
) -> dict[str, Any]:
    """Arguments of a route decorator whose rows are `row` (or one of `others`, as its parameters say).

    `statuses` are the problems it has beside 400, 401 and 406.
    """
    return {"responses": answers(row, *others, also=statuses), "tags": [tag], **more}


@cache
def _examples() -> Mapping[str, Any]:
    """Real answers by operation id, written by a script from a running server."""
    return json.loads(EXAMPLES.read_text(encoding="utf-8")) if EXAMPLES.exists() else {}


def operation_id(route: APIRoute) -> str:
    """The function's name: short, stable and unique, which a test holds."""
    return route.name


def _with_examples(document: dict[str, Any]) -> None:
    for path in document["paths"].values():
        for operation in path.values():
            example = _examples().get(operation.get("operationId"))
            json_form = operation["responses"].get("200", {}).get("content", {}).get("application/json")
            if example is not None and json_form is not None:
                json_form["example"] = example


def _rows(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[str]:
    """Names of the kinds of rows an operation answers with."""
    content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    for envelope in content.get("schema", {}).get("anyOf", ()):
        schema = document["components"]["schemas"][_name(envelope)]
        rows = schema["properties"].get("data", {}).get("items", {})
        if "$ref" in rows:
            yield _name(rows)


def _name(reference: Mapping[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]


def datasets(app: FastAPI) -> list[dict[str, Any]]:
    """Every path that answers with facts, and each kind of row it has with the unit of every field."""
    described = document(app)
    models = {model.__name__: model for model in all_rows()}
    return [
        {
            "dataset": path.split("/")[1].replace("-", "_"),
            "path": path,
            "row": name,
            "description": models[name].__doc__,
            "fields": fields(models[name]),
        }
        for path, operations in described["paths"].items()
        for operation in operations.values()
        if not NOT_FACTS.intersection(operation.get("tags", ()))
        for name in _rows(described, operation)
    ]


def document(app: FastAPI) -> dict[str, Any]:
    """The whole description, made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
            license_info=app.license_info,
        )
        _, schemas = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
        made.setdefault("components", {}).setdefault("schemas", {}).update(schemas["$defs"])
        _with_examples(made)
        app.openapi_schema = made
    return app.openapi_schema
