"""A hook of MkDocs: the changelog and its neighbours are pages too, from where they lie in the repository."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
BESIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
LINK = re.compile(r"\[([^\]]+)\]\((?!https?://|#|mailto:)([^)]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add them, with their links as they are from docs/."""
    for name in BESIDE:
        text = LINK.sub(_link, (ROOT / name).read_text(encoding="utf-8"))
        files.append(File.generated(config, name.lower(), content=text))
    return files


def _link(found: re.Match[str]) -> str:
    """To a page: from where the pages are. To what is no page: its words alone."""
    words, target = found.groups()
    if target.startswith("docs/"):
        return f"[{words}]({target.removeprefix('docs/')})"
    return f"[{words}]({target.lower()})" if target in BESIDE else words
