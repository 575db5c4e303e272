"""Bodies of every format as chunks: good rows whole, broken ones named, broken bodies refused."""

import gzip
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import ipc
from pyarrow import parquet as pq

from app.services.importing import Body, BrokenBody, Format, TooLarge, Unsupported, body, format_of, options, read
from app.services.importing.body import body_of_file
from app.services.importing.datasets import OPEN_INTEREST
from app.services.importing.frame import Chunk
from app.services.importing.options import Options

NAMES = ("time", "exchange", "oi_usd")
Read = Callable[..., list[Chunk]]
GOOD = '{"time": 1, "exchange": "okx", "oi_usd": 5}'


@pytest.fixture
def load(tmp_path: Path) -> Read:
    """Chunks of a body given as bytes or text."""

    def chunks(content: bytes | str, kind: Format = Format.CSV, *, limit: int | None = None) -> list[Chunk]:
        path = tmp_path / "body"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        packed = path.read_bytes()[:2] == b"\x1f\x8b"
        return list(read.chunks(Body(path, kind, packed, limit), OPEN_INTEREST, Options()))

    return chunks


def records(chunks: list[Chunk]) -> list[tuple[int, dict[str, object]]]:
    """Row numbers and rows."""
    found = [pair for c in chunks for pair in zip(c.numbers.tolist(), c.rows.to_pylist(), strict=True)]
    return [(number, {name: value for name, value in row.items() if name}) for number, row in found]


def unreadable(chunks: list[Chunk]) -> list[int]:
    """Numbers of the rows nobody could read."""
    assert all(reject.code == "unreadable" for chunk in chunks for reject in chunk.unreadable)
    return [reject.row for chunk in chunks for reject in chunk.unreadable]


def csv(*lines: str, end: str = "\n") -> str:
    return end.join((",".join(NAMES), *lines)) + end


def values(chunks: list[Chunk]) -> list[tuple[object, ...]]:
    return [(number, *row.values()) for number, row in records(chunks)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv(load: Read, end: str) -> None:
    found = load(csv("1,okx,5", "", '2,"okx",', end=end))
    assert values(found) == [(0, "1", "okx", "5"), (1, "2", "okx", None)]


def test_csv_without_a_last_line_end_and_with_a_mark_in_front(load: Read) -> None:
    assert values(load("\ufeff" + csv("1,okx,5").rstrip("\n"))) == [(0, "1", "okx", "5")]


@pytest.mark.parametrize(
    "line",
    ["2,okx", "2,okx,5,6", '2,"okx,5', "2,okx,\udcff5"],
    ids=["few", "many", "open", "utf"],
)
def test_one_broken_line_is_one_refused_row(load: Read, line: str) -> None:
    text = csv("1,okx,5", line, "", "3,okx,7").encode("utf-8", "surrogateescape")
    found = load(text)
    assert values(found) == [(0, "1", "okx", "5"), (2, "3", "okx", "7")]
    assert unreadable(found) == [1]


def test_a_quoted_value_may_hold_commas_quotes_and_line_ends(load: Read) -> None:
    found = load('time,note,exchange\n1,"a, ""b""\nc\nd",okx\n2,,okx\n3,"x",okx\n')
    assert values(found) == [(0, "1", "okx"), (1, "2", "okx"), (2, "3", "okx")]


def test_columns_nobody_asked_for_are_named_and_not_read(load: Read) -> None:
    (found,) = load("time,x,exchange,time\n1,2,okx,9\n")
    assert found.rows.schema.names == ["time", "exchange"]
    assert found.names == ["time", "x", "exchange", "time"]


def test_a_csv_of_unknown_columns_still_counts_its_rows(load: Read) -> None:
    assert sum(chunk.received for chunk in load("a,b\n1,2\n3,4\n")) == 2


@pytest.mark.parametrize("text", ["", "\n\n", '"time,exchange\n1,2\n', "time;exchange\n1;2\n"])
def test_a_csv_without_a_header_is_broken(load: Read, text: str) -> None:
    with pytest.raises(BrokenBody, match="header"):
        load(text)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that every cut falls within rows."""
    monkeypatch.setattr(body, "BLOCK", 7)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_rows_do_not_break_at_the_ends_of_blocks(load: Read, pack: Callable[[bytes], bytes]) -> None:
    rows = [{"time": n, "exchange": 'o"k,\\[{x', "oi_usd": n / 7} for n in range(50)]
    lines = [f'{n},"o""k,\\[{{x",{n / 7!r}' for n in range(50)]
    for kind, text in (
        (Format.CSV, csv(*lines)),
        (Format.NDJSON, "\n".join(map(json.dumps, rows))),
        (Format.JSON, json.dumps(rows, indent=1)),
        (Format.JSON, json.dumps({"data": rows, "meta": {}})),
    ):
        found = records(load(pack(text.encode()), kind))
        assert [number for number, _ in found] == list(range(50))
        assert [(int(row["time"]), row["exchange"], float(row["oi_usd"])) for _, row in found] == [  # type: ignore[call-overload]
            tuple(row.values()) for row in rows
        ]


def test_ndjson(load: Read) -> None:
    found = load(f'{GOOD}\n\n{{"time": 2.5, "extra": [1, {{"a": null}}]}}\n', Format.NDJSON)
    assert [number for number, _ in records(found)] == [0, 1]
    assert records(found)[1][1]["oi_usd"] is None


@pytest.mark.parametrize(
    "line",
    ['{"time": ', "[1]", "5", "null", "x", '{"time": 1} {"time": 2}', '{"a": "\udcff"}', "[" * 50_000, "9" * 5000],
    ids=["open", "list", "number", "null", "word", "two", "utf", "deep", "long"],
)
def test_one_broken_object_is_one_refused_row(load: Read, line: str) -> None:
    found = load(f"{GOOD}\n{line}\n{GOOD}\n".encode("utf-8", "surrogateescape"), Format.NDJSON)
    assert [number for number, _ in records(found)] == [0, 2]
    assert unreadable(found) == [1]


def test_types_may_differ_from_row_to_row(load: Read) -> None:
    rows = [1, "2", 3.5, True, None, "x", [1], {"a": 1}, 10**30]
    found = load("\n".join(json.dumps({"time": 1, "oi_usd": value}) for value in rows) + "\n", Format.NDJSON)
    assert [row["oi_usd"] for _, row in records(found)] == [
        "1", "2", "3.5", "true", None, "x", "[1]", '{"a": 1}', str(10**30),
    ]  # fmt: skip
    assert all(row["time"] == "1" for _, row in records(found))


def test_text_that_looks_like_a_stamp_stays_text(load: Read) -> None:
    (found,) = load('{"time": "2026-01-01 00:00:00", "exchange": "okx"}\n', Format.NDJSON)
    assert found.rows.schema.field("time").type == pa.string()


def test_half_a_surrogate_pair_does_no_harm(load: Read) -> None:
    assert records(load('{"exchange": "a\\ud800"}\n', Format.NDJSON)) == [(0, {"exchange": "a?"})]


@pytest.mark.parametrize(
    "text",
    [
        f"[{GOOD}, {GOOD}]",
        f" [\n{GOOD}\n,\n{GOOD}\n]\n ",
        f'{{"data": [{GOOD},{GOOD}]}}',
        f'{{"meta": {{"data": [1, "]"]}}, "data" : [{GOOD},{GOOD}], "page": {{"next_cursor": null}}}}',
        f"\ufeff[{GOOD},{GOOD}]",
    ],
)
def test_a_json_array(load: Read, text: str) -> None:
    assert [(number, row["oi_usd"]) for number, row in records(load(text, Format.JSON))] == [(0, 5), (1, 5)]


@pytest.mark.parametrize("text", ["[]", " [ ] ", '{"data": []}', '{"data": [], "meta": {}}'])
def test_an_empty_json_array(load: Read, text: str) -> None:
    assert load(text, Format.JSON) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "byte 0"),
        ("  5", "byte 2"),
        ('{"rows": []}', "byte 11"),
        ('{"data": {"time": [1]}}', "byte 9"),
        ('{"data" [', "byte"),
        ("{", "byte"),
        (f"[{GOOD}", "byte 44"),
        (f"[{GOOD}, ", "not closed"),
        (f"[{GOOD}, {{x}}]", "row 1, from byte 45 on"),
        (f"[{GOOD}, 5]", "row 1"),
        (f"[{GOOD} {GOOD}]", "row 0"),
        (f"[{GOOD}] x", "follows"),
        (f"[{GOOD}]\n[{GOOD}]", "follows"),
    ],
)
def test_a_broken_json_body_names_the_place(load: Read, text: str, place: str) -> None:
    with pytest.raises(BrokenBody, match=place):
        load(text, Format.JSON)


VALUES = st.none() | st.integers() | st.text() | st.lists(st.text())


@given(
    st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=4)),
    st.sampled_from([None, 0, 2]),
    st.integers(1, 40),
)
def test_any_json_array_is_cut_into_its_rows(rows: list[dict[str, object]], indent: int | None, size: int) -> None:
    from app.services.importing.json_array import row_lines

    def blocks() -> Iterator[bytes]:
        text = json.dumps(rows, indent=indent).encode()
        yield from (text[at : at + size] for at in range(0, len(text), size))

    lines = [line for part in row_lines(blocks()) for line in part.text.split(b"\n") if line.strip()]
    assert [json.loads(line) for line in lines] == rows


TABLE = pa.table({"time": [1, 2], "exchange": ["okx", None], "extra": [0, 0]})


def parquet(table: pa.Table = TABLE) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def arrow(kind: Callable[..., ipc.RecordBatchStreamWriter], table: pa.Table = TABLE) -> bytes:
    sink = io.BytesIO()
    with kind(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_parquet(load: Read, pack: Callable[[bytes], bytes]) -> None:
    (found,) = load(pack(parquet()), Format.PARQUET)
    assert found.rows.to_pylist() == [{"time": 1, "exchange": "okx"}, {"time": 2, "exchange": None}]
    assert found.names == ["time", "exchange", "extra"]


@pytest.mark.parametrize("kind", [ipc.new_stream, ipc.new_file])
def test_arrow(load: Read, kind: Callable[..., ipc.RecordBatchStreamWriter]) -> None:
    (found,) = load(arrow(kind), Format.ARROW)
    assert found.rows.to_pylist() == TABLE.to_pylist()


@pytest.mark.parametrize("kind", [Format.PARQUET, Format.ARROW])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"ARROW1\0\0", b"nonsense" * 100, parquet()[:-30]])
def test_what_is_no_parquet_or_arrow_is_broken(load: Read, kind: Format, content: bytes) -> None:
    with pytest.raises(BrokenBody):
        load(content, kind)


def test_a_broken_page_is_told_as_a_broken_body(load: Read) -> None:
    content = bytearray(parquet(pa.table({"time": list(range(5000))})))
    content[20:3000] = b"\xff" * 2980
    with pytest.raises(BrokenBody):
        load(bytes(content), Format.PARQUET)


@pytest.mark.parametrize("cut", [5, -9])
def test_broken_gzip_names_the_place(load: Read, cut: int) -> None:
    with pytest.raises(BrokenBody, match=r"after \d+ decompressed bytes"):
        load(gzip.compress(csv("1,okx,5").encode())[:cut])


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (Format.CSV, gzip.compress(csv("1,okx,5").encode() + b"\n" * (5 << 20))),
        (Format.JSON, gzip.compress(b"[" + b" " * (5 << 20))),
        (Format.PARQUET, gzip.compress(b"\0" * (5 << 20))),
        (Format.PARQUET, parquet(pa.table({"time": pa.array(range(700_000))}))),
    ],
)
def test_a_bomb_is_too_large(load: Read, kind: Format, content: bytes) -> None:
    with pytest.raises(TooLarge, match="4 MiB"):
        load(content, kind, limit=4 << 20)


@pytest.mark.parametrize("kind", [Format.CSV, Format.NDJSON, Format.JSON])
def test_a_line_without_end_is_broken(load: Read, kind: Format) -> None:
    content = b"[" + b'"' * 3 + b"a" * (20 << 20)
    with pytest.raises(BrokenBody):
        load(content, kind)


def test_files_are_told_by_their_suffix() -> None:
    assert body_of_file(Path("a.b/funding.2025.CSV.gz")) == Body(
        Path("a.b/funding.2025.CSV.gz"), Format.CSV, gzipped=True
    )
    assert body_of_file(Path("x.jsonl")).format is Format.NDJSON
    for name in ("x", "x.gz", "x.txt", "x.csv.bz2", ".csv"):
        with pytest.raises(Unsupported):
            body_of_file(Path(name))


def test_requests_are_told_by_their_headers() -> None:
    assert format_of("Application/JSON; charset=utf-8", "") == (Format.JSON, False)
    assert format_of("text/csv", "gzip") == (Format.CSV, True)
    csv_in_latin = ("text/csv; charset=latin-1", "")
    for headers in (("", ""), ("text/plain", ""), ("text/csv", "br"), csv_in_latin, ("multipart/form-data", "")):
        with pytest.raises(Unsupported):
            format_of(*headers)


def test_options_are_told_from_words() -> None:
    read_options = options(
        "funding", columns=[("ts", "time")], values=[("exchange", "okx")], source="Mine", create_assets=True
    )
    assert (read_options.renamed, read_options.fixed) == ({"time": "ts"}, {"exchange": "okx"})
    assert (read_options.source, read_options.create_assets) == ("mine", True)
