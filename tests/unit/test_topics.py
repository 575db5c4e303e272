"""Subscriptions: what is asked for on which connection, refused, not answered, wanted no more."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from app.ingest.sources import load
from app.ingest.spec import Answer, Channel, Said, Socket
from app.ingest.topics import PATIENCE, TRIES, Subscriptions, key_of, shared_out, topics_of
from app.records import Instrument

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
KEYS = [key_of(word) for word in "abcdefgh"]
CONTRACTS = [Instrument("BTC", "BTC", "USDT"), Instrument("ETH", "ETH", "USDT")]


def socket(*channels: Channel) -> Socket:
    return Socket(
        "x", "ws://x", "/x", channels, lambda topics: [*topics], lambda _: Said.NOTHING, lambda *_: (), "https://x"
    )


def asked(frame: int = 4) -> Subscriptions:
    made = Subscriptions(frame)
    made.want(KEYS)
    return made


def test_topics_of_all_markets_come_once_and_those_of_contracts_for_each() -> None:
    found = topics_of(
        socket(
            Channel("candles_1m", "instrument", lambda one: f"kline.{one and one.symbol}"),
            Channel("predicted_funding", "instrument", lambda one: {"all": one and one.symbol}),
            Channel("open_interest", "instrument", lambda one: {"all": one and one.symbol}),
            Channel("liquidations", "market", lambda one: "!force"),
        ),
        CONTRACTS,
    )
    assert next(iter(found)) == key_of("!force")
    assert len(found) == 5
    assert found[key_of({"all": "ETH"})].tells == {("predicted_funding", "ETH"), ("open_interest", "ETH")}


def test_what_is_held_stays_where_it_is() -> None:
    first = shared_out(KEYS, [], 3)
    assert [len(share) for share in first] == [3, 3, 2]
    again = shared_out([*KEYS[1:], "new"], first, 3)
    assert again == [[*KEYS[1:3], "new"], first[1], first[2]]
    assert shared_out([], first, 3) == [[], [], []]


def test_a_frame_is_answered_as_one() -> None:
    made = asked()
    assert made.next(NOW) == tuple(KEYS[:4])
    assert made.done(None) == set(KEYS[:4])
    assert not made.is_settled
    made.next(NOW)
    made.done(None)
    assert made.is_settled
    assert made.up == set(KEYS)
    assert made.done(None) == set(), "an answer to nothing"


def test_topics_of_a_frame_are_answered_one_by_one() -> None:
    made = asked(8)
    made.next(NOW)
    for key in KEYS[:-1]:
        assert made.done(key) == {key}
    assert not made.is_settled
    assert made.told_of(KEYS[-1]) == {KEYS[-1]}, "its rows have come: it is taken"
    assert made.is_settled


def test_an_answer_to_a_frame_whose_topics_are_settled_is_not_of_the_next_one() -> None:
    made = asked()
    made.next(NOW)
    made.next(NOW)
    for key in KEYS[:3]:
        made.told_of(key)
    made.drop(KEYS[3:4])
    assert made.done(None) == set(), "of the first, of which all is known or wanted no more"
    assert not made.is_settled
    assert made.is_refused(None, NOW) == set()
    assert made.up == set(KEYS[:3])
    assert made.next(NOW) == tuple(KEYS[4:6]), "the second is asked for again, as halves"


def test_a_frame_whose_topics_are_settled_is_not_waited_for() -> None:
    made = asked(8)
    made.next(NOW)
    for key in KEYS:
        made.told_of(key)
    assert made.is_settled
    assert made.overdue(NOW + PATIENCE) == set()
    assert made.next(NOW + PATIENCE) is None
    assert made.done(None) == set(), "then an answer is to nothing"


def test_a_frame_answered_topic_by_topic_is_answered_even_if_rows_came_before() -> None:
    made = asked()
    made.next(NOW)
    made.next(NOW)
    made.told_of(KEYS[0])
    for key in KEYS[:4]:
        made.done(key)
    assert made.done(None) == set(KEYS[4:])


def test_one_bad_topic_does_not_cost_the_others() -> None:
    made, now, bad = asked(8), NOW, KEYS[5]
    given_up: set[str] = set()
    frames = 0
    for _ in range(100):
        frame = made.next(now)
        if frame is None:
            now += PATIENCE
            given_up |= made.overdue(now)
        elif bad in frame:
            frames += 1
            given_up |= made.is_refused(None, now)
        else:
            made.done(None)
    assert made.up == set(KEYS) - {bad}
    assert given_up == made.refused == {bad}
    assert frames == 3 + TRIES
    assert made.is_settled


def test_what_is_not_answered_is_asked_for_again_and_given_up_at_last() -> None:
    made, now = Subscriptions(1), NOW
    made.want(KEYS[:1])
    sent, given_up = 0, set[str]()
    while not made.is_settled:
        sent += made.next(now) is not None
        now += timedelta(seconds=5)
        given_up |= made.overdue(now)
    assert (sent, given_up) == (TRIES, {KEYS[0]})


def test_what_was_given_up_is_asked_for_once_more_less_and_less_often() -> None:
    made, now = Subscriptions(4), NOW
    made.want(KEYS[:4])
    sent: list[timedelta] = []
    while now < NOW + timedelta(hours=3):
        if frame := made.next(now):
            sent.append(now - NOW)
            taken, _ = made.answered(Answer(frame[0], KEYS[1:4]), now)
            assert taken == {*KEYS[1:4]} & {*frame}
        now += timedelta(seconds=5)
        made.overdue(now)
        made.retry(now)
    apart = [round((late - early) / timedelta(minutes=1)) for early, late in pairwise(sent[TRIES - 1 :])]
    assert apart == [5, 10, 20, 40, 40, 40]
    assert made.refused == {KEYS[0]}
    made.drop(KEYS[:1])
    made.retry(now + timedelta(hours=1))
    assert made.next(now) is None
    assert made.refused == set()


def test_what_is_wanted_no_more_is_not_asked_for() -> None:
    made = asked()
    made.next(NOW)
    made.drop(KEYS[2:6])
    assert made.next(NOW) == tuple(KEYS[6:])
    made.done(None)
    made.done(None)
    assert made.up == {*KEYS[:2], *KEYS[6:]}
    assert made.is_settled


def test_what_an_answer_does_not_name_is_asked_for_again_and_given_up_at_last() -> None:
    made, now, bad = asked(8), NOW, set(KEYS[2:4])
    frames: list[set[str]] = []
    given_up: set[str] = set()
    while not made.is_settled:
        frame = made.next(now)
        if frame is None:
            now += PATIENCE
            assert made.overdue(now) == set()
            continue
        frames.append(set(frame))
        taken, refused = made.answered(Answer(frame[0], {*frame[::-1]} - bad), now)
        assert taken == set(frame) - bad
        given_up |= refused
    assert frames == [set(KEYS), bad, bad]
    assert given_up == made.refused == bad
    assert made.up == set(KEYS) - bad


def test_answers_come_in_any_order_and_each_is_of_its_frame() -> None:
    made = asked(3)
    frames = [made.next(NOW) or () for _ in range(3)]
    for frame in reversed(frames):
        assert made.answered(Answer(frame[0], frame), NOW) == (set(frame), set())
    assert made.is_settled
    assert made.answered(Answer(KEYS[0], KEYS), NOW) == (set(), set()), "an answer to nothing"
    assert made.answered(Answer(key_of("nobody asked for it"), KEYS), NOW) == (set(), set())


def test_a_frame_that_is_refused_by_its_name_is_asked_for_again_as_halves() -> None:
    made = asked()
    made.next(NOW)
    second = made.next(NOW) or ()
    assert made.is_refused(None, NOW, second[0]) == set()
    assert made.next(NOW) == tuple(KEYS[4:6])
    assert made.answered(Answer(KEYS[0], KEYS[:4]), NOW) == (set(KEYS[:4]), set()), "the first goes on"


def test_rows_of_what_is_renewed_are_of_the_old_subscription_until_it_is_answered() -> None:
    made = asked(8)
    made.next(NOW)
    made.done(None)
    assert made.renew([*KEYS[:2], "unknown"]) == set(KEYS[:2])
    assert made.renew(KEYS[:2]) == set(), "once is enough"
    assert made.told_of(KEYS[0]) == set()
    frame = made.next(NOW) or ()
    assert set(frame) == set(KEYS[:2])
    assert made.told_of(KEYS[1]) == set()
    assert made.answered(Answer(frame[0], frame), NOW)[0] == set(KEYS[:2])
    assert made.is_settled
    assert made.up == set(KEYS)


def test_every_source_can_be_subscribed_to_and_given_up() -> None:
    for source in load(["binance", "bybit", "okx", "hyperliquid"]).values():
        for one in source.sockets:
            topics = [topic.said for topic in topics_of(one, CONTRACTS).values()]
            assert one.unsubscribe
            for at in range(0, len(topics), one.topics_a_frame):
                page = topics[at : at + one.topics_a_frame]
                assert one.subscribe(page) != one.unsubscribe(page)


def test_a_refusal_to_give_topics_up_is_none_of_a_subscription() -> None:
    refused = {
        "bybit": {"success": False, "ret_msg": "error:topic not subscribed", "req_id": "", "op": "unsubscribe"},
        "okx": {"id": "leaving", "event": "error", "code": "60018", "msg": "Invalid request", "connId": "c"},
        "binance": {"error": {"code": 2, "msg": "Invalid request"}, "id": 2},
        "hyperliquid": {"channel": "error", "data": 'Already unsubscribed: {"type":"trades","coin":"BTC"}'},
    }
    for source in load([*refused]).values():
        for one in source.sockets:
            assert one.said(refused[source.id]) is Said.NOTHING, source.id
            left = one.unsubscribe and one.unsubscribe(["a"])
            assert source.id != "okx" or (isinstance(left, dict) and left["id"] == refused["okx"]["id"])
    subscribing = {"bybit": {"success": False, "op": "subscribe"}, "okx": {"event": "error", "code": "60018"}}
    for source in load([*subscribing]).values():
        assert all(one.said(subscribing[source.id]) is Said.REFUSED for one in source.sockets)
