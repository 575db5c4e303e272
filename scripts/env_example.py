"""Write `.env.example`: every setting with what it does, and the keys the sources ask for.

`python scripts/env_example.py` writes it anew; a test says when that is due.
"""

import textwrap
from pathlib import Path
from typing import cast

from pydantic.fields import FieldInfo

from app.ingest.sources import load
from app.ingest.spec import Source
from app.settings import Settings

FILE = Path(__file__).parents[1] / ".env.example"
HEAD = "Copy to `.env` and uncomment what you set. The process environment wins over this file."
ADDRESSES = """`<SOURCE>_BASE_URL` and `<SOURCE>_WS_URL` of every source (`perpstore sources`): another scheme, host and
port, for a proxy or a replay; the documented paths are appended."""


def example() -> str:
    """The text of the file."""
    parts = [_comment(HEAD)]
    parts += [_setting(name, field) for name, field in Settings.model_fields.items()]
    parts += [_key(source, source.key) for source in load().values() if source.key]
    parts.append(f"{_comment(ADDRESSES)}\n#BINANCE_BASE_URL=http://127.0.0.1:9999")
    return "\n\n".join(parts) + "\n"


def _setting(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias if isinstance(field.validation_alias, str) else f"PERPSTORE_{name.upper()}"
    return f"{_comment(field.description or '')}\n#{alias}={_value(field.default)}"


def _key(source: Source, key: str) -> str:
    without = "this source is left out" if source.key_required else "only what anybody may ask for is asked"
    return f"{_comment(f'Key of {source.name}; without it {without}.')}\n#{key}="


def _value(default: object) -> str:
    match default:
        case None:
            return ""
        case bool():
            return "on" if default else "off"
        case tuple():
            return ",".join(cast("tuple[str, ...]", default))
        case _:
            return str(default)


def _comment(text: str) -> str:
    return "\n".join(f"# {line}" for line in textwrap.wrap(text, 116))


if __name__ == "__main__":
    FILE.write_text(example(), encoding="utf-8")
