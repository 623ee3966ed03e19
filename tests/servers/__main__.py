"""Both servers in the foreground: for a command and until it ends, or until interrupted."""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer


def main(arguments: Sequence[str] | None = None) -> int:
    """Starts the servers, says where they are, and stays."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command: list[str] = []
    if "--" in words:
        at = words.index("--")
        words, command = words[:at], words[at + 1 :]
    chosen = _options().parse_args(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.ExitStack() as running:
        urls: dict[str, str] = {}
        if chosen.only in (None, "postgres"):
            settings = {"max_connections": "300", **dict(setting.split("=", 1) for setting in chosen.set)}
            postgres = PostgresServer.begin(durable=not chosen.fast, private=True, settings=settings)
            running.callback(postgres.close)
            urls["CALLBOARD_TEST_POSTGRES"] = postgres.url
        if chosen.only in (None, "redis"):
            redis = RedisServer.begin(private=True)
            running.callback(redis.close)
            urls["CALLBOARD_TEST_REDIS"] = redis.url
        if command:
            return _run(command, urls)
        for name, url in urls.items():
            print(f"{name}={url}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


def _run(command: list[str], urls: dict[str, str]) -> int:
    with subprocess.Popen(command, env=os.environ | urls) as process:
        while True:
            try:
                code = process.wait()
                return code if code >= 0 else 128 - code
            except KeyboardInterrupt:
                continue  # it was interrupted as well, and ends in its own way
            except SystemExit:
                process.terminate()
                raise


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.servers",
        description="Fresh servers, until interrupted; after `--` a command that finds them in its environment.",
        usage="%(prog)s [--fast] [--only postgres|redis] [--set NAME=VALUE] [-- command ...]",
    )
    parser.add_argument("--fast", action="store_true", help="PostgreSQL without fsync, as in the tests")
    parser.add_argument("--only", choices=("postgres", "redis"), help="one of them")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of PostgreSQL")
    return parser


if __name__ == "__main__":
    sys.exit(main())
