"""Words of a command line as what they name: what nothing is called ends the command with the nearest names."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from app.cli.console import Failure

if TYPE_CHECKING:
    from app.db import Database
    from app.services.entities import Entity

NEAREST, FEW = 3, 5


async def assets(db: "Database", words: Sequence[str]) -> list[int]:
    """Ids of the entities these words mean. Raises Failure."""
    return [entity.id for entity in await entities(db, words)]


async def entities(db: "Database", words: Sequence[str]) -> "list[Entity]":
    """The entities these words mean. Raises Failure."""
    from app.services.entities import AmbiguousName, UnknownName, find_asset

    try:
        return [await find_asset(db, word) for word in words]
    except UnknownName as error:
        near = f"Nearest: {', '.join(error.nearest)}" if error.nearest else "See GET /entities"
        raise Failure(f"No asset is called {error.name}. {near}", 2) from error
    except AmbiguousName as error:
        known = ", ".join(entity.canonical_id for entity in error.candidates)
        raise Failure(f"{error.name} may be several assets. Say which: {known}", 2) from error


def one_of(kind: str, words: Sequence[str], known: Sequence[str]) -> list[str]:
    """Lower-case words that are all among those known. Raises Failure naming the nearest, or all where they are few."""
    for word in words:
        if word.lower() not in known:
            near = [] if len(known) <= FEW else get_close_matches(word.lower(), known, NEAREST, 0.5)
            hint = f"Nearest: {', '.join(near)}" if near else f"There are {', '.join(known) or 'none'}"
            raise Failure(f"No {kind} is called {word}. {hint}", 2)
    return [word.lower() for word in words]
