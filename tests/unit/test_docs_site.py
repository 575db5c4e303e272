"""The site that `make docs` builds: asks nobody but itself, leaves no page out, and its links lead somewhere."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from tests.conftest import ROOT

ELSEWHERE = re.compile(r"\s*(https?:)?//", re.IGNORECASE)
LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
}
LOADED_LINKS = {"stylesheet", "icon", "preconnect", "dns-prefetch", "preload", "prefetch", "modulepreload", "manifest"}
IN_STYLE = re.compile(r"(?:url\(|@import)\s*['\"]?\s*((?:https?:)?//[^'\")\s]+)", re.IGNORECASE)
OF_README = re.compile(r"(?<!!)\[[^\]]+\]\((?!https?:|#)([^)#\s]+)")


@dataclass
class Page(HTMLParser):
    """What one page loads, links to, has in its navigation, and can be linked at."""

    text: str
    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    navigation: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.names.add(told.get("id", ""))
        self.loads += IN_STYLE.findall(told.get("style", ""))
        if address := told.get(LOADED.get(tag, "")):
            self.loads.append(address)
        if tag == "link" and LOADED_LINKS.intersection(told.get("rel", "").split()):
            self.loads.append(told["href"])
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
            if "md-nav__link" in told.get("class", "").split():
                self.navigation.append(told["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """Built once, where a warning is an error; the pages by their path."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    told = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=told)
    assert built.returncode == 0, built.stderr
    return {path: Page(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html") if path.name != "404.html"}


def test_no_page_loads_anything_from_another_host(site: dict[Path, Page]) -> None:
    folder = next(path for path in site if path.name == "index.html").parent
    styles = [found for path in folder.rglob("*.css") for found in IN_STYLE.findall(path.read_text(encoding="utf-8"))]
    inline = [found for page in site.values() for found in IN_STYLE.findall(page.text)]
    assert [load for page in site.values() for load in page.loads if ELSEWHERE.match(load)] == []
    assert (styles, inline) == ([], [])
    assert sum(len(page.loads) for page in site.values()) > 2 * len(site), "the pages load nothing at all?"


def test_every_page_is_in_the_navigation(site: dict[Path, Page]) -> None:
    start = next(path for path in site if path.name == "index.html")
    reached = {(start.parent / urldefrag(link).url).resolve() for link in site[start].navigation}
    written = {(start.parent / path.relative_to(ROOT / "docs")).with_suffix(".html") for path in _written()}
    assert written - reached == set()
    assert len(written) > 40


def _written() -> Iterator[Path]:
    yield from (ROOT / "docs").rglob("*.md")


def test_every_link_between_pages_holds(site: dict[Path, Page]) -> None:
    assert [
        f"{path.name}: {link}" for path, page in site.items() for link in page.links if _broken(link, path, site)
    ] == []


def _broken(link: str, path: Path, site: dict[Path, Page]) -> bool:
    if re.match(r"[a-z]+:", link):
        return False
    to, name = urldefrag(link)
    target = (path.parent / unquote(to)).resolve() if to else path
    if target.is_dir():
        target /= "index.html"
    page = site.get(target)
    return not target.is_file() or bool(name and page and unquote(name) not in page.names | {"__top"})


def test_every_link_of_the_readme_holds() -> None:
    links = OF_README.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert len(links) > 10
