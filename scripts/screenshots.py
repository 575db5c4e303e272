"""Take the pictures of the dashboard in docs/images: every view on generated data, light, dark and on a phone.

`make pictures`. Needs playwright and a Chromium: the machine's own, or the binary that PERPSTORE_CHROMIUM names.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import palette
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
VIEWS = {
    "now": "now",
    "asset": "asset?asset=BTC",
    "spreads": "spreads",
    "options": "options?asset=BTC",
    "minute": "minute?asset=BTC&exchange=demo-alpha&window=6h&min_pct=0.1",
    "data": "data?part=coverage&asset=BTC",
    "admin": "admin?part=jobs",
}
DOWN = {"asset": "#standing"}
"""Views that are looked at from some way down."""
LOOKS: dict[str, tuple[Literal["light", "dark"], int]] = {
    "light": ("light", 1280),
    "dark": ("dark", 1280),
    "phone": ("light", 390),
}
HEIGHT = 800
SHOWN = """() => document.querySelector('#view .view') && !document.querySelector('[aria-busy="true"]')
  && [...document.querySelectorAll('.plot')].every((plot) => plot.closest('[hidden]') || plot.hidden || plot.data)"""


@contextmanager
def served() -> Generator[tuple[str, str]]:
    """A server on a store of its own, which holds nothing but generated data; its address and a key for it."""
    with tempfile.TemporaryDirectory(prefix="perpstore-pictures-") as folder:
        Path(folder).chmod(0o755)
        ours = {name: value for name, value in os.environ.items() if "DATABASE_URL" not in name}
        told = {
            **ours,
            "PERPSTORE_DATA_DIR": f"{folder}/data",
            "PERPSTORE_SCHEDULER": "off",
            "PERPSTORE_STREAMS": "off",
        }
        command = [sys.executable, "-m", "app.cli"]
        subprocess.run([*command, "demo"], env=told, cwd=ROOT, check=True)  # noqa: S603 - our own command
        made = subprocess.run(  # noqa: S603
            [*command, "keys", "create", "--scope", "admin", "--name", "pictures", "--json"],
            env=told, cwd=ROOT, check=True, capture_output=True, text=True,
        )  # fmt: skip
        serve = [*command, "serve", "--port", "0", "--json"]
        process = subprocess.Popen(  # noqa: S603
            serve, env=told, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            yield json.loads(process.stdout.readline())["url"], json.loads(made.stdout)["key"]  # type: ignore[union-attr]
        finally:
            process.terminate()
            process.wait(30)


def opened(browser: Browser, look: str, key: str) -> Page:
    scheme, width = LOOKS[look]
    page = browser.new_page(viewport={"width": width, "height": HEIGHT}, color_scheme=scheme, reduced_motion="reduce")
    page.add_init_script(f"sessionStorage.setItem('perpstore-key', {json.dumps(key)})")
    return page


def take(page: Page, home: str, name: str, look: str) -> int:
    """One picture; its size in bytes."""
    page.goto(f"{home}/#/{VIEWS[name]}")
    page.wait_for_function(SHOWN, timeout=60_000)
    if name in DOWN:
        page.locator(DOWN[name]).evaluate("(place) => scrollTo(0, place.getBoundingClientRect().top - 56)")
    page.wait_for_timeout(1000)
    picture = page.screenshot()
    page.goto("about:blank")
    return palette.write(page, picture, IMAGES / f"{name}-{look}.png")


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    binary = os.environ.get("PERPSTORE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with served() as (home, key), sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        for look in LOOKS:
            for name in VIEWS:
                page = opened(browser, look, key)
                size = take(page, home, name, look)
                sys.stdout.write(f"{name}-{look}.png {size / 1000:.0f} kB\n")
                page.close()
        browser.close()


if __name__ == "__main__":
    main()
