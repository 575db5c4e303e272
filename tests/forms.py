"""What bodies are: JSON, or tables in text. Both can be taken apart, changed in one place and put together again."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def _from_csv(raw: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(raw.decode().splitlines()))


def _to_csv(rows: list[dict[str, Any]]) -> bytes:
    if not rows:
        return b""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()


@dataclass(frozen=True)
class Form:
    """What bodies are: the suffix of payloads, what an answer is read from, and one taken apart and put together."""

    suffix: str
    says: Callable[[bytes], Any]
    apart: Callable[[bytes], Any]
    together: Callable[[Any], bytes]


FORMS = {
    "json": Form("json", json.loads, json.loads, lambda body: json.dumps(body).encode()),
    "text": Form("csv", lambda raw: raw.decode("utf-8-sig", "replace"), _from_csv, _to_csv),
}
