"""A worker is asked over HTTP whether it lives and works, also while it is told to stop, and how much there is."""

import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.cli.desk import Desk

STORY = """
    import time

    async def work(name: str) -> str:
        note("begin " + name)
        await {work}
        return note("end " + name)

    async def hog(name: str) -> str:
        note("hog")
        while not os.path.exists("go"):
            time.sleep(0.01)
        return name

    @app.flow
    async def flow(ctx: cb.Context, ticket: Ticket) -> str:
        return await ctx.step(hog if ticket.text == "hog" else work, ticket.id)

    async def main(text: str) -> None:
        async with cb.open(app, worker=False) as rt:
            open("opened", "w").close()
            if text == "when told":
                await told("start")
            await rt.start(flow, {"id": "t1", "text": text})

    if __name__ == "__main__":
        import sys
        asyncio.run(main(sys.argv[1]))
"""


@dataclass
class Worker:
    """A real process that answers probes."""

    process: "subprocess.Popen[str]"
    port: int

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of an answer; 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def metrics(self) -> dict[str, float]:
        """Values by name and labels, as `name status=ready`."""
        return {
            " ".join([sample.name, *(f"{k}={v}" for k, v in sorted(sample.labels.items()))]): sample.value
            for family in text_string_to_metric_families(self.get("/metrics")[1])
            for sample in family.samples
        }


@contextmanager
def worker(desk: Desk, *options: str, probed: tuple[str, ...] = ("--health-port", "0")) -> Iterator[Worker]:
    with desk.begin("worker", "desk", *probed, *options) as process:
        assert process.stderr is not None
        while not (line := process.stderr.readline()).startswith("answers on port"):
            assert line, "it ended"
        yield Worker(process, int(line.split()[-1]))


def start(desk: Desk, text: str = "") -> None:
    """A run in the store that nobody executes yet."""
    assert starter(desk, text).wait(timeout=60) == 0


def starter(desk: Desk, text: str) -> "subprocess.Popen[bytes]":
    """Starts a run; with the text `when told` it makes ready, and does so when it is told to."""
    return subprocess.Popen([sys.executable, "desk.py", text], cwd=desk.folder, env=desk.environment)


def test_a_worker_is_alive_and_ready_and_stops_being_ready_before_it_stops_working(desk: Desk) -> None:
    desk.app(STORY.replace("{work}", "told()"))
    start(desk)
    with worker(desk, "--grace", "1", "--concurrency", "7", "--label", "gpu") as it:
        desk.until(it.ready)
        desk.until(desk.effects)
        assert it.get("/livez") == (200, "ok\n")
        assert it.get("/readyz?verbose=1") == (200, "ok\n")
        assert it.get("/secret")[0] == 404
        it.process.send_signal(signal.SIGTERM)
        desk.until(lambda: it.get("/readyz") == (503, "it is stopping\n"))
        assert it.get("/livez")[0] == 200
        assert desk.effects() == ["begin t1"]  # the effect in flight goes on meanwhile
        desk.tell()
        _, err = it.process.communicate(timeout=60)
        assert it.process.returncode == 0, err
    assert desk.effects() == ["begin t1", "end t1"]
    assert it.get("/livez")[0] == 0


def test_during_the_grace_it_still_works_and_afterwards_what_is_left_is_handed_back(desk: Desk) -> None:
    desk.app(STORY.replace("{work}", "told('never')"))
    desk.environment["CALLBOARD_DRAIN"] = "0.5"
    with worker(desk, "--grace", "6") as it, starter(desk, "when told") as starting:
        desk.until((desk.folder / "opened").exists)
        desk.until(it.ready)
        it.process.send_signal(signal.SIGTERM)
        desk.until(lambda: not it.ready())
        desk.tell("start")
        assert starting.wait(timeout=60) == 0
        desk.until(desk.effects)  # claimed although it is stopping
        _, err = it.process.communicate(timeout=60)
        assert it.process.returncode == 0, err
    (run,) = desk.json("runs", "list")
    assert run["status"] == "ready"
    assert run["deaths"] == 0
    assert desk.json("workers") == []


def test_a_second_signal_ends_it_at_once(desk: Desk) -> None:
    desk.app(STORY.replace("{work}", "told()"))
    start(desk)
    with worker(desk, "--grace", "60") as it:
        desk.until(desk.effects)
        it.process.send_signal(signal.SIGTERM)
        desk.until(lambda: not it.ready())
        it.process.send_signal(signal.SIGINT)
        assert it.process.wait(timeout=60) == 130


def test_it_says_so_itself_when_its_event_loop_is_stuck(desk: Desk) -> None:
    desk.app(STORY)
    desk.environment |= {"CALLBOARD_BEAT": "0.1", "CALLBOARD_LEASE": "0.6", "CALLBOARD_WINDOW": "0.3"}
    with worker(desk) as it:
        desk.until(it.ready)
        start(desk, "hog")
        desk.until(lambda: "event loop has not turned" in it.get("/livez")[1])
        assert it.get("/livez")[0] == 503
        assert it.get("/readyz")[0] == 503
        desk.tell()
        desk.until(lambda: it.get("/livez")[0] == 200 and it.ready())


def test_metrics_tell_of_the_queue_the_worker_and_the_store(desk: Desk) -> None:
    desk.app(STORY.replace("{work}", "asyncio.sleep(0)"))
    for _ in range(3):
        start(desk)
    with worker(desk, "--concurrency", "7") as it:
        desk.until(lambda: it.metrics().get("callboard_runs_ended_total flow=flow status=succeeded") == 3)
        found = it.metrics()
    assert found["callboard_claims_total"] == 3
    assert found["callboard_worker_capacity"] == 7
    assert found["callboard_worker_active"] == 0
    assert found["callboard_store_group_size_count"] == found["callboard_store_commit_seconds_count"] > 0
    assert found["callboard_store_commit_seconds_sum"] > 0
    assert {"callboard_runs status=ready", "callboard_ready_oldest_age_seconds"} <= found.keys()
    assert found["callboard_dead_letters_total"] == 0


def test_what_a_dead_worker_left_is_counted_as_taken_over(desk: Desk) -> None:
    desk.app(STORY.replace("{work}", "told()"))
    start(desk)
    with worker(desk) as first:
        desk.until(desk.effects)
        first.process.kill()
        first.process.wait()
    with worker(desk) as second:
        desk.until(lambda: second.metrics().get("callboard_takeovers_total") == 1)


def test_an_address_that_cannot_be_used_is_named(desk: Desk) -> None:
    desk.app(STORY)
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f":{port}" in desk("worker", "desk", "--health-port", port, expect=2).stderr
    desk.environment["CALLBOARD_LISTEN"] = "nowhere"
    assert "listen='nowhere'" in desk("worker", "desk", expect=2).stderr


def test_the_address_may_come_from_the_environment(desk: Desk) -> None:
    desk.app(STORY)
    desk.environment["CALLBOARD_LISTEN"] = "127.0.0.1:0"
    with worker(desk, probed=()) as it:
        desk.until(it.ready)
