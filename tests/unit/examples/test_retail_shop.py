import json
import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from examples.retail.catalog import Base
from examples.retail.shop import Effect, KeyConflict, Shop
from examples.retail.view import Record

PROJECT = Path(__file__).parents[3]
SHIPPED = PROJECT / "examples" / "retail" / "data"
CANCEL = "cancel_pending_order"


@pytest.fixture
def store(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop.db", SHIPPED)


@pytest.fixture
def order_id(base: Base) -> str:
    return next(key for key, order in base.tables["orders"].items() if order["status"] == "pending")


@pytest.fixture
def wanted(order_id: str) -> Record:
    return {"order_id": order_id, "reason": "no longer needed"}


def test_a_call_takes_effect_once_per_key(store: Shop, base: Base, wanted: Record) -> None:
    assert store.applied("k") is None
    answer = store.apply("run", "k", CANCEL, wanted)
    assert json.loads(answer)["status"] == "cancelled"
    after = store.final_hash("run")
    assert after != base.final_hash({})
    assert store.apply("run", "k", CANCEL, dict(reversed(wanted.items()))) == answer
    assert store.applied("k") == answer
    assert store.final_hash("run") == after
    assert store.counts() == {"effects": 1, "changed": 1, "refused": 0, "doubled": 0}


def test_another_key_is_another_call_and_its_refusal_is_on_record(store: Shop, wanted: Record) -> None:
    store.apply("run", "k1", CANCEL, wanted)
    refusal = "Error: non-pending order cannot be cancelled"
    assert store.apply("run", "k2", CANCEL, wanted) == refusal
    assert store.applied("k2") == refusal
    assert store.apply("run", "k3", CANCEL, {}).startswith("Error: ")
    assert store.counts("run") == {"effects": 3, "changed": 1, "refused": 2, "doubled": 0}
    assert [row.key for row in store.rows("run")] == ["k1", "k2", "k3"]


def test_a_refused_call_stays_refused_under_its_key(store: Shop, base: Base) -> None:
    tasks = [json.loads(line) for line in (SHIPPED / "tasks.jsonl").read_text("utf-8").splitlines()]
    refused = next(a for task in tasks for a in task["actions"] if a["answer"].startswith("Error: "))
    for _ in range(2):
        assert store.apply("run", "k", refused["name"], refused["arguments"]) == refused["answer"]
    assert store.final_hash("run") == base.final_hash({})
    assert store.counts()["refused"] == 1


def test_a_key_stands_for_one_call(store: Shop, wanted: Record) -> None:
    store.apply("run", "k", CANCEL, wanted)
    for run_id, tool, arguments in [
        ("other", CANCEL, wanted),
        ("run", "transfer_to_human_agents", wanted),
        ("run", CANCEL, wanted | {"reason": "ordered by mistake"}),
    ]:
        with pytest.raises(KeyConflict, match="'k' stands for"):
            store.apply(run_id, "k", tool, arguments)
    # The refused transaction is over: the same thread can go on.
    assert store.apply("run", "k2", CANCEL, {}).startswith("Error: ")
    assert len(store.rows()) == 2


def test_handing_over_is_on_record_but_changes_nothing(store: Shop, base: Base) -> None:
    answer = store.apply("run", "k", "transfer_to_human_agents", {"summary": "Zoë möchte mehr"})
    assert answer == "Transfer successful"
    assert store.counts() == {"effects": 1, "changed": 0, "refused": 0, "doubled": 0}
    assert json.loads(store.rows()[0].arguments) == {"summary": "Zoë möchte mehr"}
    assert store.final_hash("run") == base.final_hash({})


def test_each_run_has_a_shop_of_its_own(store: Shop, base: Base, order_id: str, wanted: Record) -> None:
    one = store.apply("one", "k1", CANCEL, wanted)
    assert store.read("one", "get_order_details", {"order_id": order_id}) == one
    assert store.read("two", "get_order_details", {"order_id": order_id}) == json.dumps(base.tables["orders"][order_id])
    assert store.final_hash("two") == base.final_hash({})
    assert store.apply("two", "k2", CANCEL, wanted) == one
    assert store.final_hash("one") == store.final_hash("two")
    assert [row.run_id for row in store.rows()] == ["one", "two"]


def test_changes_outlive_the_process_object(store: Shop, tmp_path: Path, wanted: Record) -> None:
    answer = store.apply("run", "k", CANCEL, wanted)
    again = Shop(tmp_path / "shop.db", SHIPPED)
    assert again.applied("k") == answer
    assert again.final_hash("run") == store.final_hash("run")


def test_all_shipped_tasks_by_way_of_the_file(store: Shop) -> None:
    for line in (SHIPPED / "tasks.jsonl").read_text("utf-8").splitlines():
        task = json.loads(line)
        for number, action in enumerate(task["actions"]):
            key = f"{task['id']}/{number}"
            assert store.apply(task["id"], key, action["name"], action["arguments"]) == action["answer"]
        assert store.final_hash(task["id"]) == task["final_hash"]


def test_a_text_beyond_ascii_comes_back_as_it_was(store: Shop, base: Base) -> None:
    user_id = next(iter(base.tables["users"]))
    address = dict.fromkeys(["address1", "address2", "city", "state", "country", "zip"], "Čšž 🏔 \u2028")
    answer = store.apply("läuft", "schlüssel", "modify_user_address", {"user_id": user_id, **address})
    assert answer.isascii()
    assert json.loads(answer)["address"] == address
    assert store.read("läuft", "get_user_details", {"user_id": user_id}) == answer
    assert store.applied("schlüssel") == answer


def test_effects_and_lookups_have_a_door_each(store: Shop, wanted: Record) -> None:
    with pytest.raises(ValueError, match="use apply"):
        store.read("run", CANCEL, wanted)
    with pytest.raises(ValueError, match="use apply"):
        store.read("run", "transfer_to_human_agents", {"summary": ""})
    with pytest.raises(ValueError, match="use read"):
        store.apply("run", "k", "calculate", {"expression": "1"})
    assert store.read("run", "calculate", {"expression": "1"}) == "1.0"
    assert store.read("run", "open_till", {}) == store.apply("run", "k", "open_till", {}) == "Unknown action open_till"
    assert store.rows() == []


def test_the_ledger_has_the_documented_columns(store: Shop, tmp_path: Path) -> None:
    store.rows()
    columns = apsw.Connection(str(tmp_path / "shop.db")).execute("PRAGMA table_info(effects)").fetchall()
    assert tuple(name for _, name, *_ in columns) == Effect._fields
    assert [name for _, name, *_, primary in columns if primary] == ["key"]


def test_a_failure_between_change_and_record_undoes_both(
    store: Shop, base: Base, wanted: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_clock() -> float:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("examples.retail.shop.time.time", no_clock)
        with pytest.raises(KeyboardInterrupt):
            store.apply("run", "k", CANCEL, wanted)
    assert store.applied("k") is None
    assert store.final_hash("run") == base.final_hash({})
    assert json.loads(store.apply("run", "k", CANCEL, wanted))["status"] == "cancelled"


def test_two_threads_race_for_one_key(store: Shop, wanted: Record) -> None:
    barrier = threading.Barrier(2)

    def work(_: int) -> list[str]:
        answers = []
        for number in range(30):
            barrier.wait()
            answers.append(store.apply(f"run-{number}", f"k-{number}", CANCEL, wanted))
        return answers

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(work, range(2))
    assert one == two
    assert not any(answer.startswith("Error: ") for answer in one)
    assert store.counts() == {"effects": 30, "changed": 30, "refused": 0, "doubled": 0}


RACER = """
import json, sys
from pathlib import Path
from examples.retail.shop import Shop
folder, data, arguments = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
for file in range(10):
    shop = Shop(Path(folder, f"{file}.db"), Path(data))
    for n in range(5):
        print(shop.apply(f"run-{n}", f"k-{n}", "cancel_pending_order", json.loads(arguments)))
"""


def test_processes_race_for_new_files_and_for_each_key(tmp_path: Path, wanted: Record) -> None:
    command = [sys.executable, "-c", RACER, str(tmp_path), str(SHIPPED), json.dumps(wanted)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    heard = [racer.communicate(timeout=60)[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * 4
    assert len(heard[0].splitlines()) == 50
    assert set(heard) == {heard[0]}
    assert "Error: " not in heard[0]
    for file in range(10):
        counts = Shop(tmp_path / f"{file}.db", SHIPPED).counts()
        assert counts == {"effects": 5, "changed": 5, "refused": 0, "doubled": 0}


def test_opening_a_new_file_waits_for_another_that_does(tmp_path: Path) -> None:
    other = apsw.Connection(str(tmp_path / "shop.db"))
    other.execute("BEGIN IMMEDIATE; CREATE TABLE t(x)")
    release = threading.Timer(0.1, other.execute, ["COMMIT"])
    release.start()
    assert Shop(tmp_path / "shop.db", SHIPPED).rows() == []
    release.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_opens_a_connection_of_its_own(store: Shop, wanted: Record) -> None:
    answer = store.apply("run", "parent", CANCEL, wanted)
    child = multiprocessing.get_context("fork").Process(target=store.apply, args=("two", "child", CANCEL, wanted))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert store.applied("child") == answer
    assert store.apply("three", "parent-2", CANCEL, wanted) == answer
