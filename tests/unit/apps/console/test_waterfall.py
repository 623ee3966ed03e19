from callboard.apps.console.waterfall import WIDTH, waterfall
from callboard.domain.codec import encode
from callboard.domain.event import Event, EventKind


def event(seq: int, at: float, kind: EventKind, path: str, body: object = None, took: float = 0.0) -> Event:
    return Event(seq, kind, path, b"", round(at * 1e6), round(took * 1e6), b"" if body is None else encode(body))


ERROR = {"code": "tool_failed", "kind": "upstream_down", "message": "503"}
EVENTS = [
    event(0, 100.0, EventKind.STARTED, ""),
    event(1, 101.0, EventKind.DONE, "0:step", {"result": 1}, took=1.0),
    event(2, 101.0, EventKind.INTENT, "1:pay", {"attempt": 1, "key": "k"}),
    event(3, 103.0, EventKind.RETRY, "1:pay", {"attempt": 1, "due": 104.0, "error": ERROR}),
    event(4, 104.0, EventKind.INTENT, "1:pay", {"attempt": 2, "key": "k"}),
]


def test_bars_stand_where_time_says() -> None:
    picture = waterfall(EVENTS, 110.0)
    step, pay = picture.rows
    assert picture.seconds == 10.0 and [seconds for _, seconds in picture.ticks] == [5.0]
    assert [(bar.x, bar.width, bar.tone) for bar in step.bars] == [(0.0, 100.0, "step")]
    assert [(bar.x, bar.width, bar.tone) for bar in pay.bars] == [
        (100.0, 900.0, "gap"),
        (100.0, 200.0, "failed"),
        (400.0, 600.0, "tool"),
    ]
    assert pay.marks == (300.0,) and pay.retries == 1 and pay.took is None and step.took == 1.0


def test_no_bar_is_too_thin_or_stands_outside() -> None:
    events = [event(n, 100 + n / 1e3, EventKind.DONE, f"{n}:x", {"result": n}) for n in range(5)]
    events.append(event(5, 1e6, EventKind.RUN_SUCCEEDED, "", 1))
    for row in waterfall(events, None).rows:
        for bar in row.bars:
            assert bar.width >= 3 and 0 <= bar.x <= WIDTH - bar.width
    assert waterfall([], 5.0).rows == ()
