"""Logging: one line a record, JSON unless a person is watching, with keys and passwords blacked out."""

import asyncio
import json
import logging
import re
import sys
import traceback
from collections.abc import Collection
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

HIDDEN = "***"

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Id of the request that is being answered, for every line logged meanwhile."""

_NAMES = r"[\w-]*(?:api[_-]?key|apikey|access[_-]?key|secret|passw(?:or)?d|passwd|token|credential|signature)[\w-]*"
_PATTERNS = (
    (re.compile(r"(://[^\s:/@?#]*):[^\s/?#]*@"), rf"\1:{HIDDEN}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), rf"\1 {HIDDEN}"),
    (re.compile(r"\bpst_[\w-]+"), f"pst_{HIDDEN}"),
    (re.compile(rf"(?i)\b({_NAMES})(['\"]?\s*[=:]\s*['\"]?)(?!\*)[^\s&,;'\"}})]+"), rf"\1\2{HIDDEN}"),
)
_ACCESS = ("client", "method", "path", "http_version", "status")
_QUIET = ("httpx", "httpcore", "apscheduler")
_secrets: set[str] = set()


def keep_secret(*words: str) -> None:
    """Black these words out of every line from now on. Short ones are left: they would match anything."""
    _secrets.update(word for word in words if len(word) >= 6)


def redact(text: str) -> str:
    """The text without keys and passwords: those told to `keep_secret`, and whatever looks like one."""
    for word in sorted(_secrets, key=len, reverse=True):
        text = text.replace(word, HIDDEN)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def _trace(record: logging.LogRecord) -> str | None:
    return "".join(traceback.format_exception(*record.exc_info)).rstrip() if record.exc_info else None


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """What an access line of uvicorn says, field by field."""
    if record.name != "uvicorn.access" or not isinstance(record.args, tuple):
        return {}
    return dict(zip(_ACCESS, record.args, strict=False))


class Lines(logging.Formatter):
    """A record as one redacted line: JSON, or words for a terminal."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self.as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message, request, trace = record.getMessage(), request_id.get(), _trace(record)
        if self.as_json:
            said = {"time": time, "level": record.levelname, "logger": record.name, "message": message}
            more = {"request_id": request, "trace": trace, **_fields(record)}
            document = said | {name: value for name, value in more.items() if value is not None}
            return json.dumps(_redacted(document), default=str, ensure_ascii=False)
        words = f"{time} {record.levelname:<7} {record.name}: {redact(message)}".replace("\n", "\\n")
        words += f" request_id={request}" if request else ""
        return f"{words}\n{redact(trace)}" if trace else words


def _redacted(document: dict[str, object]) -> dict[str, object]:
    return {name: redact(value) if isinstance(value, str) else value for name, value in document.items()}


def configure(level: str = "INFO", *, secrets: Collection[str] = (), stream: TextIO | None = None) -> None:
    """Send every logger of this process, uvicorn's included, to standard error in our form."""
    keep_secret(*secrets)
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    handler.setFormatter(Lines(as_json=not out.isatty()))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def tell_of_death(task: asyncio.Task[None]) -> None:
    """To be called when background work has ended, which it should not by itself."""
    if not task.cancelled() and (error := task.exception()):
        logging.getLogger(__name__).error("%s has ended", task.get_name(), exc_info=error)
