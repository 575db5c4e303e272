"""The generated pages and the API's examples are those the code makes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.api import metrics
from app.main import create_app
from app.settings import Settings
from scripts import examples, reference
from tests.conftest import ROOT

NO_JSON = {"metrics", "stream"}


def test_nothing_generated_is_stale() -> None:
    found = subprocess.run([sys.executable, "scripts/docs.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-2000:]


def test_every_endpoint_has_a_description_a_model_and_a_real_example() -> None:
    examples = json.loads((ROOT / "app/api/examples.json").read_text(encoding="utf-8"))
    document = create_app(Settings(scheduler=False)).openapi()
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            assert operation.get("description"), (verb, path)
            if operation["operationId"] not in NO_JSON:
                assert operation["operationId"] in examples, (verb, path)
                answers = [operation["responses"].get(status, {}) for status in ("200", "201", "202")]
                assert any(a.get("content", {}).get("application/json", {}).get("schema") for a in answers), path


def test_every_metric_is_on_its_page_with_its_labels() -> None:
    page = reference.metrics()
    named = set(re.findall(r'"(perpstore_\w+)"', Path(metrics.__file__).read_text(encoding="utf-8")))
    assert set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE)) == named
    assert len(named) > 20
    assert "| `perpstore_requests` | counter | `method`, `path`, `status` | Requests answered. |" in page
    assert "| `perpstore_db_connections` | gauge | `pool`, `state` |" in page


PAGE = """before
<!-- [[[cog
sh("echo 127.0.0.1:8000 $PLACE")
session("half = 3 / 2")
session("half + 1")
]]] -->
what was here is gone
<!-- [[[end]]] -->
after
"""
FILLED = """
```sh
echo 127.0.0.1:8000 $PLACE
```

```text
127.0.0.1:8000 here
```

```pycon
>>> half = 3 / 2
```

```pycon
>>> half + 1
2.5
```
"""


def terminal(folder: Path) -> examples.Terminal:
    return examples.Terminal(folder, {"PATH": "/usr/bin:/bin", "PLACE": "here"}, "127.0.0.1:45678")


def test_examples_of_a_page_are_run_and_shown(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    made = examples.filled(page, terminal(tmp_path), {})
    assert made == PAGE.replace("what was here is gone\n", FILLED)


def test_a_row_is_broken_between_its_fields_only() -> None:
    row = {"of": "a, b and " * 9, "then": ["one", "two"], "more": "x" * 60, "last": None}
    lines = examples.wrapped(row).splitlines()
    assert json.loads("".join(lines)) == row
    assert [line.strip()[:6] for line in lines] == ['{"of":', '"more"']


def test_an_example_that_fails_fails_the_docs(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="exit 3 ended with 3: so"):
        terminal(tmp_path).sh("echo so; exit 3")
    with pytest.raises(RuntimeError, match="ended with 0"):
        terminal(tmp_path).sh("true", fails=True)
    with pytest.raises(ZeroDivisionError):
        terminal(tmp_path).python("1 / 0")
