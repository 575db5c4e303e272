"""One file an upstream, found by being there: a module without leading underscore whose `SOURCE` bears its name."""

from collections.abc import Collection
from importlib import import_module
from pkgutil import iter_modules

from app.ingest.spec import Source


def load(ids: Collection[str] | None = None) -> dict[str, Source]:
    """The sources of these ids, by id; of no ids: all there are."""
    found = sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))
    unknown = set(ids or ()) - set(found)
    if unknown:
        raise ValueError(f"no source {', '.join(sorted(unknown))}; there are {', '.join(found)}")
    return {name: _source(name) for name in found if not ids or name in ids}


def _source(name: str) -> Source:
    source = getattr(import_module(f"{__name__}.{name}"), "SOURCE", None)
    if not isinstance(source, Source) or source.id != name:
        raise TypeError(f"{__name__}.{name} must have a SOURCE with the id {name!r}")
    return source
