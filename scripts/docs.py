"""Write the generated pages of docs/ and the examples in the API's own description, from the code and a running app.

`python scripts/docs.py` writes; `--check` writes nothing and fails where a page is stale.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "app/api/examples.json"
sys.path.insert(0, str(ROOT))

from scripts import calls, pages  # noqa: E402


def made() -> dict[Path, str]:
    """Every generated file with what it has to hold."""
    with tempfile.TemporaryDirectory(prefix="perpstore-docs-") as folder:
        examples = asyncio.run(calls.answered(Path(folder)))
    return {
        ROOT / "docs/reference/settings.md": pages.settings(),
        ROOT / "docs/reference/sources.md": pages.sources(),
        ROOT / "docs/reference/api.md": pages.api(),
        ROOT / "docs/how-to/curl.md": pages.curl(examples),
        EXAMPLES: pages.examples(examples, EXAMPLES.read_text(encoding="utf-8") if EXAMPLES.exists() else ""),
    }


def main() -> None:
    files = made()
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        sys.exit(f"stale, run make docs: {', '.join(str(p.relative_to(ROOT)) for p in stale)}" if stale else 0)
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")


if __name__ == "__main__":
    main()
