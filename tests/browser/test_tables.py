"""Tables in a real browser: no row is lost however they are sorted and told anew, and what is taken home is safe."""

import csv
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.db import Database
from tests.browser.pages import Shown, opened
from tests.streaming import serving

MADE = """async (run) => {
  const { table } = await import(`${location.origin}/dashboard/table.js`);
  const columns = [{ name: "name", head: "Name", text: true }, { name: "value", head: "Value" }];
  const made = table({ caption: "Made", columns, key: ({ key }) => key });
  document.getElementById("view").append(made);
  const words = (row) => [...row.cells].map(({ textContent }) => textContent).join(" ");
  const cells = () => [...made.querySelectorAll("tbody tr")].map(words);
  return new Function("made", "cells", run)(made, cells);
}"""


@pytest.fixture
async def bare(browser: Any, clean_database: Database) -> AsyncIterator[Shown]:
    """A page of a server that has nothing, for what modules do by themselves."""
    async with serving(clean_database) as (home, _):
        shown = await opened(browser, home, bypass_csp=True)
        await shown.go("#/data")
        yield shown
        await shown.page.context.close()
        assert shown.wrong == []


async def test_rows_of_one_key_are_all_there(bare: Shown) -> None:
    """Equal keys are a fault of a view; it must not cost a row."""
    steps = """
      const keys = { a: "same", b: "same", c: "other" };
      const rows = [["b", 2], ["a", 1], ["c", 3]].map(([name, value]) => ({ key: keys[name], name, value }));
      made.rows(rows);
      const told = [cells()];
      for (const sorted of ["value", "-value"]) { made.sort(sorted); told.push(cells()); }
      made.narrow(({ name }) => name === "a");
      told.push(cells());
      made.narrow(null);
      told.push(cells());
      made.rows(rows.map((row) => ({ ...row, value: row.value * 10 })));
      return [...told, cells()];"""
    down = ["c 3", "b 2", "a 1"]
    assert await bare.page.evaluate(MADE, steps) == [
        ["b 2", "a 1", "c 3"], ["a 1", "b 2", "c 3"], down, ["a 1"], down, ["c 30", "b 20", "a 10"],
    ]  # fmt: skip


async def test_a_row_told_again_stays(bare: Shown) -> None:
    steps = """
      const told = (value) => [{ key: 1, name: "a", value }, { key: 2, name: "b", value: 5 }];
      made.rows(told(1));
      const before = [...made.querySelectorAll("tbody tr")];
      made.sort("-value");
      made.rows(told(9));
      return [cells(), before.every((row) => row.isConnected)];"""
    assert await bare.page.evaluate(MADE, steps) == [["a 9", "b 5"], True]


TAKEN = """async () => {
  const { table } = await import(`${location.origin}/dashboard/table.js`);
  const columns = ["text", "number", "list", "object", "absent", "both"].map((name) => ({ name, head: name }));
  const more = [{ name: "time", head: "Time", instant: true }, { name: "do", head: "Do", buttons: true }];
  const made = table({ caption: "Taken", file: "taken", columns: [...columns, ...more] });
  document.getElementById("view").append(made);
  const row = { number: -1.5, list: ["a", "b"], object: { a: 1 }, absent: null, both: [{ a: "=1" }],
    time: 1772438400000 };
  made.rows(["=1+1", "+1", "-1", "@a", "\\t=1", "\\r=1", "a=1", '-"1"'].map((text) => ({ ...row, text })));
  made.querySelector("caption button").click();
}"""


async def test_what_is_taken_home_runs_nothing(bare: Shown) -> None:
    async with bare.page.expect_download() as awaited:
        await bare.page.evaluate(TAKEN)
    path = await (await awaited.value).path()
    with path.open(newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    assert names == ["text", "number", "list", "object", "absent", "both", "time"]
    assert [row[0] for row in rows] == ["'=1+1", "'+1", "'-1", "'@a", "'\t=1", "'\r=1", "a=1", '\'-"1"']
    told = ["-1.5", "a b", '{"a":1}', "", '[{"a":"=1"}]', "2026-03-02T08:00:00Z"]
    assert all(row[1:] == told for row in rows)
