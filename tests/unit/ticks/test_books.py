"""Order books are kept from their changes, and know when they are not whole."""

from datetime import UTC, datetime, timedelta

from app.ingest.ticks.books import SOON, Became, Books, Unknown
from app.records import BookChange, Level

T = datetime(2026, 3, 10, 12, tzinfo=UTC)


def at(second: float) -> datetime:
    return T + timedelta(seconds=second)


def told(
    second: float, number: int, before: int | None, bids: list[Level] | None = None, asks: list[Level] | None = None
) -> BookChange:
    return BookChange("X", at(second), before is None, number, before, tuple(bids or ()), tuple(asks or ()))


def snapshot(second: float = 0, number: int = 10) -> BookChange:
    return told(second, number, None, [(99.0, 1.0), (98.0, 2.0), (97.0, 3.0)], [(101.0, 4.0), (102.0, 5.0)])


def sides(books: Books, levels: int = 20) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    (depth,) = books.depths(levels, T)
    return depth.bids, depth.asks


def test_levels_are_set_added_and_removed_and_the_best_come_first() -> None:
    books = Books()
    assert books.take(snapshot()) is Became.WHOLE
    assert books.take(told(1, 17, 10, [(98.5, 7.0), (99.0, 0.0)], [(101.0, 1.0), (100.5, 2.0)])) is Became.CHANGED
    assert sides(books) == (((98.5, 7.0), (98.0, 2.0), (97.0, 3.0)), ((100.5, 2.0), (101.0, 1.0), (102.0, 5.0)))
    assert sides(books, 1) == (((98.5, 7.0),), ((100.5, 2.0),))


def test_a_change_that_does_not_follow_breaks_the_book_until_all_of_it_is_told() -> None:
    books = Books()
    books.take(snapshot(0))
    books.take(told(5, 11, 10, [(99.5, 1.0)]))
    assert books.take(told(9, 14, 13, [(90.0, 1.0)])) is Became.BROKEN
    assert books.depths(20, T) == []
    assert books.take(told(10, 15, 14)) is Became.IGNORED
    assert books.unknown(at(11)) == [Unknown("X", at(5), at(11))]
    assert books.take(snapshot(12, 20)) == Unknown("X", at(5), at(12))
    assert books.unknown(at(13)) == []
    assert (99.5, 1.0) not in sides(books)[0], "a snapshot replaces all there was"


def test_what_two_connections_tell_of_one_book_is_applied_once() -> None:
    books = Books()
    books.take(snapshot(0))
    books.take(told(1, 11, 10, [(99.0, 5.0)]))
    assert books.take(snapshot(0)) is Became.TOLD
    assert books.take(told(1, 11, 10, [(99.0, 5.0)])) is Became.TOLD
    assert books.take(told(2, 12, 11, [(99.0, 6.0)])) is Became.CHANGED
    assert sides(books, 1)[0] == ((99.0, 6.0),)


def test_ids_may_begin_anew_with_a_later_snapshot() -> None:
    books = Books()
    books.take(snapshot(0, 1000))
    assert books.take(snapshot(60, 3)) == Unknown("X", at(0), at(60))
    assert books.take(told(61, 4, 3, [(99.9, 1.0)])) is Became.CHANGED


def test_a_fresh_book_may_begin_as_a_change_and_a_snapshot_may_follow_upon_a_change() -> None:
    books = Books()
    assert books.take(told(0, 5, 0, [(1.0, 1.0)])) is Became.WHOLE
    following = BookChange("X", at(1), True, 6, 5, (), ((2.0, 2.0),))
    assert books.take(following) is Became.CHANGED
    assert sides(books) == ((), ((2.0, 2.0),))


def test_a_snapshot_of_a_whole_book_tells_whether_anything_was_missed() -> None:
    books = Books()
    books.take(snapshot(0, 10))
    assert books.take(snapshot(300, 10)) is Became.CHANGED, "asked anew, and nothing happened meanwhile"
    assert books.take(snapshot(600, 44)) == Unknown("X", at(300), at(600))


def test_books_that_are_lost_or_were_before_us_are_missing_until_they_are_told() -> None:
    books = Books()
    books.take(snapshot(0))
    books.lose(["X", "never told"])
    assert books.unknown(at(30)) == [Unknown("X", at(0), at(30))]
    books.miss(["X", "Y"], at(-60))
    assert {one.symbol: one.since for one in books.unknown(at(30))} == {"X": at(0), "Y": at(-60)}
    books.keep(["X"])
    assert books.take(snapshot(40, 50)) == Unknown("X", at(0), at(40))
    assert books.unknown(at(50)) == []


def test_a_book_that_is_expected_and_never_told_whole_is_missing_since_then() -> None:
    books, soon = Books(), SOON.total_seconds()
    books.expect(["X", "Y"], at(0))
    books.expect(["X", "Y"], at(20))
    assert books.unknown(at(soon - 1)) == []
    assert books.take(told(5, 11, 10)) is Became.IGNORED
    assert books.unknown(at(6)) == [Unknown("X", at(0), at(6))], "its snapshot is lost"
    assert set(books.unknown(at(soon))) == {Unknown("X", at(0), at(soon)), Unknown("Y", at(0), at(soon))}
    assert books.take(snapshot(soon + 1)) == Unknown("X", at(0), at(soon + 1))
    books.expect(["X"], at(soon + 2))
    assert [one.symbol for one in books.unknown(at(500))] == ["Y"], "what is whole is not expected"
    books.keep(["X"])
    assert books.unknown(at(500)) == []


def test_a_book_that_is_told_soon_was_not_missing_and_a_late_one_was() -> None:
    books = Books()
    books.expect(["X"], at(0))
    assert books.take(snapshot(5)) is Became.WHOLE
    assert books.unknown(at(500)) == []
    late = Books()
    late.expect(["X"], at(0))
    assert late.take(snapshot(100)) == Unknown("X", at(0), at(100))
    assert late.unknown(at(500)) == []


def test_changes_of_a_book_that_nobody_wants_make_nothing_missing() -> None:
    books = Books()
    assert books.take(told(5, 11, 10)) is Became.IGNORED
    assert books.unknown(at(500)) == []
