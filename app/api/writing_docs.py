"""What is said of writing: the rows a body may have, and the answer."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from app.api.schemas import Out, problems
from app.services import importing
from app.services.importing import Format

MAX_ROWS = 1_000_000


class RejectOut(Out):
    """A row that was refused."""

    row: int = Field(description="Which: data rows of the body, from 0.")
    code: str = Field(description="Stable name of the rule it breaks.")
    reason: str = Field(description="What was seen, for people.")


class ImportAnswer(Out):
    """What became of the rows: received = inserted + updated + unchanged + rejected_count."""

    import_id: int | None = Field(description="Its number among `/admin/imports`, to take it back; null: a dry run.")
    received: int = Field(description="Rows in the body.")
    inserted: int = Field(description="New facts.")
    updated: int = Field(description="Facts that say something else now; what they said before is kept.")
    unchanged: int = Field(description="Rows that were there already, or are told again by a later row of the body.")
    rejected_count: int = Field(description="Rows that were refused. The good ones are stored all the same.")
    rejected: list[RejectOut] = Field(description="The first 1,000 of them.")
    notices: list[str] = Field(description="Columns ignored, and what was made.")


JSON_TYPES: Mapping[str, Any] = {
    "time": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    "number": {"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]},
    "word": {"type": ["string", "null"]},
}
MEANT: Mapping[Format, str] = {
    Format.NDJSON: "One object a line.",
    Format.CSV: "A header line and comma-separated values, UTF-8.",
    Format.PARQUET: "Columns by name.",
    Format.ARROW: "Columns by name; stream or file.",
}


def _row_schema(dataset: str) -> dict[str, Any]:
    told = importing.DATASETS[dataset]
    fields = told.fields.items()
    own = {"description": "A field of a perpspec of your own.", **JSON_TYPES["number"]}
    return {
        "type": "object",
        "required": list(told.needed),
        "properties": {name: {"description": field.about, **JSON_TYPES[field.kind.value]} for name, field in fields},
        **({"additionalProperties": own} if told.open else {}),
    }


def _body_schema(dataset: str) -> dict[str, Any]:
    rows = {"type": "array", "items": _row_schema(dataset), "description": "Rows; other fields are ignored."}
    answer = {"type": "object", "required": ["data"], "properties": {"data": rows}, "description": "As `GET` answers."}
    text = {kind.value: {"schema": {"type": "string", "description": about}} for kind, about in MEANT.items()}
    return {
        "required": True,
        "description": f"Rows of {dataset}, at most {MAX_ROWS:,}; `Content-Encoding: gzip` if wanted.",
        "content": {Format.JSON.value: {"schema": {"anyOf": [rows, answer]}}, **text},
    }


def writes(dataset: str) -> dict[str, Any]:
    """Arguments of the decorator of a route that writes a dataset."""
    return {
        "tags": ["Writing"],
        "response_model": ImportAnswer,
        "responses": problems(400, 401, 403, 408, 413, 415),
        "openapi_extra": {"requestBody": _body_schema(dataset)},
    }
