"""What a shell offers at a TAB: words that are known without a database."""

from collections.abc import Callable, Sequence
from pathlib import Path
from pkgutil import iter_modules
from typing import get_args

import typer

SOURCES = Path(__file__).parents[1] / "ingest" / "sources"


def sources(incomplete: str) -> list[str]:
    """Sources, by their files alone: none is read."""
    found = sorted(module.name for module in iter_modules([str(SOURCES)]))
    return _fitting([name for name in found if not name.startswith("_")], incomplete)


def datasets(context: typer.Context, incomplete: str) -> list[str]:
    """Datasets of the source that stands before, whose file alone is read; all there are where none does."""
    from app.ingest.sources import load
    from app.ingest.spec import Dataset

    source = str(context.params.get("source") or "").lower()
    if source not in sources(source):
        return _fitting(get_args(Dataset), incomplete)
    return _fitting(list(dict.fromkeys(feed.dataset for feed in load([source])[source].feeds)), incomplete)


def one_of(names: Sequence[str]) -> Callable[[str], list[str]]:
    """Completes one of a few words."""

    def fitting(incomplete: str) -> list[str]:
        return _fitting(names, incomplete)

    return fitting


def _fitting(names: Sequence[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete.lower())]
