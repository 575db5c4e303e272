"""One file an upstream, found by being there: a module without leading underscore whose `SOURCE` bears its name."""

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from pkgutil import iter_modules

from app.ingest.spec import Source

Words = Callable[[str], Mapping[str, str]]
"""What the settings say of one source alone (`settings.words_of`)."""


def _nothing(_: str) -> Mapping[str, str]:
    return {}


def load(ids: Collection[str] | None = None, words: Words = _nothing) -> dict[str, Source]:
    """The sources of these ids as their settings have them, by id; of no ids: all there are. Raises ValueError."""
    found = sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))
    unknown = set(ids or ()) - set(found)
    if unknown:
        raise ValueError(f"no source {', '.join(sorted(unknown))}; there are {', '.join(found)}")
    wanted = [_source(name) for name in found if not ids or name in ids]
    return {source.id: source.configured(source, words(source.id)) for source in wanted}


def _source(name: str) -> Source:
    source = getattr(import_module(f"{__name__}.{name}"), "SOURCE", None)
    if not isinstance(source, Source) or source.id != name:
        raise TypeError(f"{__name__}.{name} must have a SOURCE with the id {name!r}")
    return source
