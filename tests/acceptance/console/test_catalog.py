"""The pages of what is installed, and the form that starts it."""

import re

from tests.acceptance.console.browser import ADMIN, VIEWER
from tests.acceptance.console.conftest import House


async def test_what_is_installed_is_shown_with_all_that_it_is_made_of(house: House) -> None:
    browser = await house.person("ann", ADMIN)
    page = await browser.text("/console/catalog")
    assert 'href="/console/catalog/teller"' in page and 'href="/console/catalog/order"' in page
    agent = await browser.text("/console/catalog/teller")
    for shown in (
        "You know the stock.",
        "stock",
        "read",
        "tool calls",
        "scripted",
        "<svg viewBox=",
        "Budgets that count",
    ):
        assert shown in agent, shown
    flow = await browser.text("/console/catalog/order")
    assert "teller" in flow and "supply" in flow and "Packs an order" in flow  # what its code names
    assert "names no agent" in await browser.text("/console/catalog/supply")
    assert (await browser.get("/console/catalog/nothing")).status_code == 404
    page = await (await house.person("vic", VIEWER)).text("/console/catalog/order")
    assert 'id="start"' not in page


async def test_a_form_starts_a_run_and_follows_it(house: House) -> None:
    browser = await house.person("ann", ADMIN)
    page = await browser.text("/console/catalog/order")
    for name in ("customer", "lines", "count", "speed", "gift", "note"):
        assert f'name="in.{name}"' in page, name
    at = "/console/catalog/order/start"
    wrong = await browser.post(at, **{"in.customer": "", "in.count": "many", "in.lines": "tea"})
    assert wrong.status_code == 422 and wrong.text.count('class="wrong"') == 2
    assert ">tea</textarea>" in wrong.text and 'value="many"' in wrong.text  # what was typed stays

    filled = {
        "in.customer": "zoe",
        "in.lines": "tea\r\ncup\r\n",
        "in.count": "2",
        "in.speed": '"fast"',
        "in.gift": "on",
    }
    started = await browser.post(at, **filled, labels="team=red", key="k1")
    found = re.fullmatch(r"/console/runs/(\w+)", started.headers["location"])
    assert started.status_code == 303 and found is not None
    (first,) = await house.rt.store.journal.read("default", found[1], limit=1)
    assert first.value() == {
        "customer": "zoe", "lines": ["tea", "cup"], "count": 2, "speed": "fast", "gift": True, "note": None,
    }  # fmt: skip
    run = await house.rt.store.runs.get("default", found[1])
    assert run.by == "person:ann" and run.labels == {"team": "red"} and run.key == "k1"
    same = await browser.post(at, **(filled | {"in.customer": "mia"}), key="k1")
    assert same.status_code == 422 and "k1" in same.text

    words = await browser.post("/console/catalog/teller/start", **{"in": "is there tea?"})
    assert words.status_code == 303
