"""The generated pages and the API's examples are those the code makes."""

import json
import subprocess
import sys

from app.main import create_app
from app.settings import Settings
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
