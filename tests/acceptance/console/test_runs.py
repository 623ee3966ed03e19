"""The pages of runs: the list, one run, its effects and events, and what is done to it."""

import asyncio
import re
from typing import Any

import pytest

from callboard.apps.console import run, runs
from callboard.domain.principal import Grant, Role
from callboard.domain.run import RunStatus
from tests.acceptance.console.browser import ADMIN, EVIL, VIEWER, Browser
from tests.acceptance.console.conftest import House

RUNNING = re.compile(r"<script(?![^>]*src=)|<style|<[^>]+\s(?:on[a-z]+|style)=|javascript:")


async def ordered(house: House, **labels: str) -> Any:
    """A run of an order that has come to the van."""
    wish = {"customer": f"zoe {EVIL}", "lines": ["cup", "tea"]}
    handle = await house.rt.start("order", wish, labels=labels or None)
    for _ in range(500):
        events = await house.rt.store.journal.read("default", handle.id)
        if any(event.path.endswith(":wait van") for event in events):
            return handle
        await asyncio.sleep(0.01)
    raise AssertionError("the van is not waited for")


def numbered(page: str, name: str) -> list[str]:
    """The numbers of the effects of that name in a picture."""
    return re.findall(rf'data-seq="(\d+)"[^>]*>(?:(?!</a>).)*?<b>{name}</b>', page, re.DOTALL)


async def test_a_run_is_found_followed_and_led_on(house: House) -> None:
    browser = await house.person("ann", ADMIN)
    handle = await ordered(house, team="red")
    at = f"/console/runs/{handle.id}"

    listed = await browser.text("/console/runs")
    assert f'data-href="{at}"' in listed and "team=red" in listed
    assert f'data-href="{at}"' not in await browser.text("/console/runs?status=failed")
    assert f'data-href="{at}"' in await browser.text("/console/runs?label=team%3Dred&flow=order&top=1")
    assert (await browser.get(f"/console/runs?q={handle.id}")).headers["location"] == at

    page = await browser.text(at)
    for shown in ("2 in parallel", "pack", "teller", "stock", "spawn supply", "wait van", "2×", "Signal", "Cancel"):
        assert shown in page, shown
    part = await browser.get(at, **{"Callboard-Part": "live"})
    assert part.text.lstrip().startswith('<div class="head">') and "<html" not in part.text
    again = await browser.get(at, **{"Callboard-Part": "live", "If-None-Match": part.headers["etag"]})
    assert again.status_code == 200  # it goes on: its bars have grown

    sent = await browser.post(f"{at}/signal", name="van", value='{"number": 7}')
    assert sent.headers["location"] == at
    assert await handle.result(5) is not None
    page = await browser.text(at)
    assert "Signal van was sent." in page and "data-still" in page and "&#34;number&#34;: 7" in page
    assert "Signal van was sent." not in await browser.text(at)  # said once
    still = await browser.get(at, **{"Callboard-Part": "live"})
    same = await browser.get(at, **{"Callboard-Part": "live", "If-None-Match": still.headers["etag"]})
    assert same.status_code == 304 and not same.content


async def test_an_effect_tells_its_whole_story(house: House) -> None:
    browser = await house.person("ann", ADMIN)
    handle = await ordered(house)
    at = f"/console/runs/{handle.id}"
    page = await browser.text(at)

    (tool,) = numbered(page, "stock")
    shown = await browser.text(f"{at}/effects/{tool}")
    assert "2 attempts" in shown and "the stock is being counted" in shown and "upstream down" in shown
    assert "&#34;item&#34;: &#34;tea &lt;script&gt;" in shown  # a read is journaled without what it was asked

    first, second = numbered(page, "model")
    shown = await browser.text(f"{at}/effects/{second}")
    assert "There are three." in shown and "scripted" in shown and "of $" in shown
    saw = await browser.text(f"{at}/effects/{second}/seen")
    assert "You know the stock." in saw and "the prompt of teller" in saw and ": 3 &lt;script&gt;" in saw
    assert saw.count('<article class="turn') > (await browser.text(f"{at}/effects/{first}/seen")).count("<article")

    chosen = await browser.text(f"{at}?effect={tool}")
    assert 'aria-current="true"' in chosen and "2 attempts" in chosen
    assert (await browser.get(f"{at}/effects/99999")).status_code == 404
    events = await browser.text(f"{at}/events?after=2")
    assert 'id="event-3"' in events and 'id="event-2"' not in events


async def test_no_page_of_a_run_runs_what_is_stored_in_it(house: House) -> None:
    browser = await house.person("ann", ADMIN)
    handle = await ordered(house, **{f"na{EVIL}me": EVIL})
    failed = await house.rt.start("breaks", EVIL)
    with pytest.raises(Exception, match="no forecast"):
        await failed.result()
    at = f"/console/runs/{handle.id}"
    last = numbered(await browser.text(at), "model")[-1]
    paths = [
        "/console/runs",
        f"/console/runs?q={EVIL}&label=a%3D{EVIL}",
        at,
        f"{at}/events",
        f"{at}?effect={last}",
        f"{at}/effects/{last}/seen",
        f"/console/runs/{failed.id}",
        "/console/catalog",
        "/console/catalog/teller",
        "/console/catalog/order",
        f"/console/runs/{EVIL}",
    ]
    for path in paths:
        answer = await browser.get(path)
        assert answer.status_code in (200, 404), (path, answer.status_code)
        assert EVIL not in answer.text and "<script>" not in answer.text, path
        assert not RUNNING.search(answer.text), (path, RUNNING.search(answer.text))


async def test_the_cause_of_a_failure_is_said_first_and_leads_to_its_place(house: House) -> None:
    browser = await house.person("ann", ADMIN)
    failed = await house.rt.start("breaks", "Oslo")
    with pytest.raises(Exception, match="no forecast"):
        await failed.result()
    page = await browser.text(f"/console/runs/{failed.id}")
    cause = page[page.index('class="cause') : page.index('class="waterfall"')]
    assert "no forecast for" in cause and "Done about it" in cause and ">forecast</a>" in cause
    linked = re.search(r'href="([^"]+)" data-seq', cause)
    assert linked is not None
    shown = await browser.text(linked[1])
    assert "Oslo" in shown[shown.index('id="detail"') :]
    error = (await failed.run()).error
    assert error is not None
    found = await browser.get(f"/console/runs/{failed.id}/effects?path={error.path}")
    assert found.status_code == 303 and found.headers["location"] == linked[1]
    requeued = await browser.post(f"/console/runs/{failed.id}/requeue", reason="once more")
    assert requeued.status_code == 303
    assert "The run is ready again." in await browser.text(f"/console/runs/{failed.id}")


async def test_deeds_take_their_permission_and_say_why_they_are_refused(house: House) -> None:
    handle = await ordered(house)
    at = f"/console/runs/{handle.id}"
    viewer = await house.person("vic", VIEWER)
    page = await viewer.text(at)
    assert 'id="cancel"' not in page and 'id="signal"' not in page and "fork" not in page
    for deed, fields in (("cancel", {}), ("signal", {"name": "van"}), ("requeue", {}), ("fork", {"at": "0"})):
        answer = await viewer.post(f"{at}/{deed}", **fields)
        assert answer.status_code == 303 and "may not" in await viewer.text(at), deed
    assert await handle.status() in (RunStatus.WAITING, RunStatus.RUNNING, RunStatus.READY)

    admin = await house.person("ann", ADMIN)
    for deed, fields, said in (
        ("signal", {"name": "van", "value": "{"}, "value is not JSON"),
        ("requeue", {}, "waiting"),
        ("fork", {"at": "x"}, "is no event"),
    ):
        assert (await admin.post(f"{at}/{deed}", **fields)).status_code == 303
        assert said in await admin.text(at), said
    forked = await admin.post(f"{at}/fork", at="0")
    assert forked.headers["location"] != at and "goes on by itself" in await admin.text(forked.headers["location"])
    assert (await admin.post(f"{at}/cancel", reason="no van")).headers["location"] == at
    with pytest.raises(Exception, match="no van"):
        await handle.result(5)
    page = await admin.text(at)
    assert "no van" in page and 'id="cancel"' not in page


async def test_another_tenants_run_is_not_there(house: House) -> None:
    browser = await house.person("ann", Grant(Role.ADMIN, "default"))
    handle = await house.rt.start("order", {"customer": "x"}, tenant="other")
    await _there(house, handle.id)
    for path in ("", "/events", "/effects/1", "/effects/1/seen", "/effects?path=0:model"):
        answer = await browser.get(f"/console/runs/{handle.id}{path}")
        assert answer.status_code == 404 and "zoe" not in answer.text, path
    assert handle.id not in await browser.text("/console/runs?span=all")
    for deed in ("cancel", "signal", "requeue", "fork"):
        answer = await browser.post(f"/console/runs/{handle.id}/{deed}", name="van", at="0")
        assert answer.status_code == 404, deed


async def test_filters_that_mean_nothing_are_told(house: House) -> None:
    browser: Browser = await house.person("ann", ADMIN)
    for query in ("status=lost", "span=1y", "label=red", f"q={'x' * 900}"):
        answer = await browser.get(f"/console/runs?{query}")
        assert answer.status_code == 422 and query.partition("=")[0] in answer.text, query


async def test_addresses_that_are_none_are_refused_as_pages(house: House) -> None:
    browser = await house.person("ann", ADMIN)
    handle = await ordered(house)
    at = f"/console/runs/{handle.id}"
    bad = ("?after=x", f"?after={10**30}", "?effect=-5", f"/effects/{10**30}", "/effects/x", "/events?after=-9")
    for path in bad:
        answer = await browser.get(f"{at}{path}")
        assert answer.status_code in (404, 422), (path, answer.status_code)
    assert (await browser.get(f"{at}/effects?path={'x' * 5_000}")).status_code == 404
    far = await browser.get(f"{at}?after={2**31 - 1}")
    assert far.status_code == 200 and "From the beginning" in far.text


async def test_large_values_are_cut_and_there_for_who_asks(house: House) -> None:
    browser = await house.person("ann", ADMIN)
    handle = await house.rt.start("breaks", "x" * 600_000)
    with pytest.raises(Exception, match="no forecast"):
        await handle.result()
    at = f"/console/runs/{handle.id}"
    page, events, one = [await browser.text(f"{at}{path}") for path in ("", "/events", "/events/0")]
    assert len(page) < 60_000 and "… and more" in page and f'href="{at}/events/0"' in page
    assert len(events) < 100_000 and f'href="{at}/events/0"' in events
    assert len(one) > 600_000


async def test_a_journal_of_large_values_is_shown_part_by_part(house: House) -> None:
    browser = await house.person("ann", ADMIN)
    handle = await house.rt.start("bulky", 14)
    await handle.result(30)
    at = f"/console/runs/{handle.id}"
    first = await browser.text(f"{at}/events")
    last = max(int(n) for n in re.findall(r'id="event-(\d+)"', first))
    assert last < 13 and f'href="{at}/events?after={last}"' in first, "eight of fourteen megabytes, and no more"
    rest = await browser.text(f"{at}/events?after={last}")
    assert f'id="event-{last + 1}"' in rest and "run succeeded" in rest
    effect = await browser.text(f"{at}/effects/12")
    assert len(effect) < 60_000 and f'href="{at}/events/12"' in effect
    assert f'href="/v1/runs/{handle.id}/events?limit=1&amp;after=11"' in await browser.text(f"{at}/events/12")
    page = (await browser.get(f"/v1/runs/{handle.id}/events?limit=100")).json()
    assert len(page["items"]) == 6 and page["next"] == page["items"][-1]["seq"]
    seqs: list[int] = []
    while True:
        after = seqs[-1] if seqs else -1
        page = (await browser.get(f"/v1/runs/{handle.id}/events?limit=100&after={after}")).json()
        seqs += [each["seq"] for each in page["items"]]
        if page["next"] is None:
            break
    assert seqs == list(range(16))


async def _there(house: House, run_id: str) -> None:
    for _ in range(200):
        if len(await house.rt.store.journal.read("other", run_id)) > 2:
            return
        await asyncio.sleep(0.01)


async def test_a_list_looks_at_so_many_runs_says_so_and_goes_on_behind_them(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = await house.person("ann", ADMIN)
    monkeypatch.setattr(runs, "_AMONG", 3)
    monkeypatch.setattr(runs, "_AMONG_TEXTS", 2)
    first = await house.rt.start("order", {"customer": "zoe"}, labels={"team": "red"}, delay=900)
    for _ in range(4):
        await house.rt.start("order", {"customer": "zoe"}, labels={"team": "blue"}, delay=900)

    listed = await browser.text("/console/runs?span=all")
    assert "These figures are of the newest 3 runs" in listed and ">3+<" in listed
    assert re.search(r'(?:ready|waiting) <span class="num">5<', listed), "those that have not ended are all counted"
    assert 'data-further=""' in listed, "two more are behind them, for who asks"

    at, steps = "/console/runs?span=all&label=team=red", 0
    while not (page := await browser.text(at)).count(f'data-href="/console/runs/{first.id}"'):
        assert "No run fits these filters so far" in page
        at, steps = re.findall(r'href="([^"]+)"[^>]*data-further="at once"', page)[0].replace("&amp;", "&"), steps + 1
    assert steps == 1 and "data-further" not in page
    assert 'data-further="at once"' in await browser.text("/console/runs?q=nobody")
    assert "data-further" not in await browser.text("/console/runs?status=waiting&q=nobody"), (
        "all at work are looked at"
    )


async def test_a_long_journal_is_shown_in_windows_that_lead_to_each_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = await house.person("ann", ADMIN)
    handle = await ordered(house)
    at, last = f"/console/runs/{handle.id}", await house.rt.store.journal.last("default", handle.id)
    assert "of this journal" not in await browser.text(at)
    monkeypatch.setattr(run, "WINDOW", 4)

    def ways(page: str) -> dict[str, str]:
        (nav,) = set(re.findall(r'<nav class="window".*?</nav>', page, re.DOTALL))
        return {
            text: href
            for href, text in re.findall(r'<a class="button" href="([^"]+)"[^>]*>(?:<svg.*?</svg>)?([A-Z][a-z ]+)', nav)
        }

    page = await browser.text(at)
    assert f"Events 0 to 3 of {last}" in page and ways(page) == {"Later": f"{at}?after=3", "To the end": f"{at}?end=1"}
    page = await browser.text(f"{at}?after=7")
    assert ways(page)["From the beginning"] == at and ways(page)["Earlier"] == f"{at}?after=3"
    assert ways(await browser.text(f"{at}?after=3"))["Earlier"] == at
    end = await browser.text(f"{at}?end=1")
    assert f"Events {last - 3} to {last} of {last}" in end and "Later" not in ways(end)


async def test_agents_and_flows_are_found_by_their_words(house: House) -> None:
    browser = await house.person("ann", ADMIN)
    found = await browser.text("/console/catalog?q=STOCK+teller")
    assert "/console/catalog/teller" in found and "/console/catalog/refund" not in found
    assert "Nothing here has these words" in await browser.text("/console/catalog?q=nothing+of+it")
