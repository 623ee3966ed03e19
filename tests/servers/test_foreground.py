"""`python -m tests.servers`: servers for a command, or until interrupted."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.place import Gone, Place
from tests.servers.redis import RedisServer

ROOT = Path(__file__).resolve().parents[2]
SERVERS = [sys.executable, "-m", "tests.servers"]


def test_a_command_finds_its_servers_and_gives_its_exit_code() -> None:
    look = (
        "import os, sys\n"
        "from tests.servers.postgres import PostgresServer\n"
        "from tests.servers.redis import RedisServer\n"
        "server = PostgresServer.given(os.environ['CALLBOARD_TEST_POSTGRES'])\n"
        "RedisServer.given(os.environ['CALLBOARD_TEST_REDIS'])\n"
        "print(server.execute(\"SELECT current_setting('fsync') AS v\")[0]['v'])\n"
        "sys.exit(7)\n"
    )
    ended = subprocess.run([*SERVERS, "--", sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True)
    assert (ended.stdout, ended.returncode) == ("on\n", 7), ended.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_servers_stay_until_interrupted(how: signal.Signals) -> None:
    command = [*SERVERS, "--only", "redis"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        name, _, url = process.stdout.readline().strip().partition("=")
        assert name == "CALLBOARD_TEST_REDIS"
        server = RedisServer.given(url)
        with server._session() as client:
            folder = Path(str(client.config_get("dir")["dir"])).parent
        os.killpg(process.pid, how)
        process.wait(60)
    with pytest.raises(Gone):
        Place.hold(folder)
