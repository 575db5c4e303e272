"""Keys: made once and shown once; only their hash is kept."""

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

import asyncpg
from sqlalchemy import insert

from app import models
from app.db import Database, driver, writing

SCOPES = ("read", "write", "admin")
IMPLIED = {"read": {"read", "write", "admin"}, "write": {"write", "admin"}, "admin": {"admin"}}
REMEMBERED_SECONDS = 1.0
REMEMBERED_KEYS = 1000


class BadScope(ValueError):
    """A scope that does not exist."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret."""

    id: int
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None

    def may(self, scope: str) -> bool:
        """Whether a scope is among those of the key, or implied by one: admin is all, write reads too."""
        return not IMPLIED[scope].isdisjoint(self.scopes)


_known: dict[tuple[str, str], tuple[float, Key | None]] = {}


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _checked(scopes: Collection[str]) -> list[str]:
    wanted = [scope.strip().lower() for scope in scopes]
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise BadScope(f"no scope {', '.join(unknown) or 'given'}; there are {', '.join(SCOPES)}")
    return [scope for scope in SCOPES if scope in wanted]


async def create(db: Database, name: str, scopes: Collection[str]) -> str:
    """Make a key and return its text: it cannot be had again. Raises BadScope."""
    text = f"pst_{secrets.token_urlsafe(32)}"
    row = {"name": name, "hash": _hash(text), "scopes": _checked(scopes)}
    async with writing(db) as connection:
        await connection.execute(insert(models.ApiKey).values(row))
    return text


LISTED = "select * from api_key order by id"
USED = "update api_key set last_used_at = clock_timestamp() where hash = $1 and revoked_at is null returning *"
REVOKED = """
update api_key set revoked_at = clock_timestamp() where (id = $1 or name = $2) and revoked_at is null returning *
"""


def _key(row: asyncpg.Record) -> Key:
    fields: dict[str, Any] = {name: row[name] for name in Key.__dataclass_fields__}
    fields["scopes"] = tuple(row["scopes"])
    return Key(**fields)


async def _rows(db: Database, statement: str, *arguments: object) -> list[Key]:
    async with writing(db) as connection:
        return [_key(row) for row in await (await driver(connection)).fetch(statement, *arguments)]


async def listed(db: Database) -> list[Key]:
    """All keys, revoked ones too, oldest first."""
    return await _rows(db, LISTED)


async def revoke(db: Database, which: str) -> list[Key]:
    """Revoke the key of this id, or all of this name that are not revoked yet; returns them."""
    number = int(which) if re.fullmatch(r"[0-9]{1,9}", which) else None
    found = await _rows(db, REVOKED, number, None if number is not None else which)
    _known.clear()
    return found


async def check(db: Database, text: str) -> Key | None:
    """The key of this text, or None if there is none or it was revoked. Remembered for a second."""
    place = (db.dsn, _hash(text))
    until, key = _known.get(place, (0.0, None))
    if monotonic() < until:
        return key
    found = await _rows(db, USED, place[1])
    key = found[0] if found else None
    if len(_known) >= REMEMBERED_KEYS:
        _known.clear()
    _known[place] = (monotonic() + REMEMBERED_SECONDS, key)
    return key
