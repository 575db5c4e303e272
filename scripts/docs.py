"""Write the generated pages of docs/, the examples in the others, and those in the API's own description.

From the code and a running app. `python scripts/docs.py` writes; `--check` writes nothing and fails where one is stale.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "app/api/examples.json"
sys.path[:0] = [str(ROOT), str(ROOT / "client")]

from app import embedded  # noqa: E402 - found by the path above
from scripts import calls, commands, examples, pages, reference  # noqa: E402 - as above

REFERENCE = {
    "settings": pages.settings,
    "sources": pages.sources,
    "api": pages.api,
    "metrics": reference.metrics,
    "data": reference.data,
    "command-line": commands.command_line,
}


def made() -> dict[Path, str]:
    """Every generated file with what it has to hold."""
    with tempfile.TemporaryDirectory(prefix="perpstore-docs-") as name, embedded.running(Path(name, "data")) as cluster:
        key = asyncio.run(calls.filled(cluster.dsn))
        copy = asyncio.run(examples.copied(cluster.dsn, "answers"))
        with examples.terminal(cluster.dsn, key, Path(name, "home")) as terminal:
            answers = asyncio.run(calls.answered(copy, key))
            shown = {page: examples.filled(page, terminal, {"across": reference.across}) for page in with_examples()}
    return {
        **shown,
        **{ROOT / f"docs/reference/{page}.md": make() for page, make in REFERENCE.items()},
        ROOT / "docs/how-to/curl.md": pages.curl(answers),
        EXAMPLES: pages.examples(answers, EXAMPLES.read_text(encoding="utf-8") if EXAMPLES.exists() else ""),
    }


def with_examples() -> list[Path]:
    """The pages that have examples to fill in."""
    every = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in every if "[[[cog" in page.read_text(encoding="utf-8")]


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
