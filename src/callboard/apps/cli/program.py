"""All verbs on one page, and where their errors end up."""

import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

from callboard.apps.cli.acting import cancel, fork, purge, signal
from callboard.apps.cli.approvals import approve, edit, list_approvals, reject
from callboard.apps.cli.audit import list_audit, show_head, verify_audit
from callboard.apps.cli.budgets import list_budgets, remove_budget, set_budget
from callboard.apps.cli.chaos import chaos
from callboard.apps.cli.control import controls, limit, pause, resume
from callboard.apps.cli.costs import costs
from callboard.apps.cli.db import migrate, status
from callboard.apps.cli.dev import dev
from callboard.apps.cli.doctor import doctor
from callboard.apps.cli.failure import tell
from callboard.apps.cli.fleet import queue, workers
from callboard.apps.cli.gateway import gateway
from callboard.apps.cli.keys import create_key, list_keys, revoke_key, rotate_key
from callboard.apps.cli.looking import list_dead, list_events, list_runs, show_run
from callboard.apps.cli.new import new
from callboard.apps.cli.people import add_person, disable_person, enable_person, list_people, set_password
from callboard.apps.cli.requeue import requeue
from callboard.apps.cli.run import run
from callboard.apps.cli.schedules import (
    list_schedules,
    pause_schedule,
    put_schedule,
    remove_schedule,
    resume_schedule,
    show_schedule,
    trigger_schedule,
)
from callboard.apps.cli.up import up
from callboard.apps.cli.upstreams import Listing, list_upstreams, reset_upstream
from callboard.apps.cli.webhooks import rotate_webhook_secret, webhook_secret
from callboard.apps.cli.worker import worker


def _group(summary: str, kind: type[TyperGroup] = TyperGroup) -> typer.Typer:
    return typer.Typer(
        cls=kind,
        help=summary,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


program = _group("Durable multi-agent LLM runs: every call on the record.")
_runs = _group("Look at runs, and act on them.")
_approvals = _group("Questions to people, and their answers.")
_schedules = _group("Runs that are started again and again.")
_budgets = _group("Hard limits on what models may cost.")
_upstreams = _group("What an app depends on: callboard upstreams MODULE:APP lists it.", Listing)
_audit = _group("The record of who did what.")
_keys = _group("Keys of programs.")
_webhooks = _group("Messages to the outside: with what they are signed.")
_people = _group("Who may log in to the console.")
_db = _group("The schema of a PostgreSQL store.")
program.add_typer(_runs, name="runs")
program.add_typer(_approvals, name="approvals")
program.add_typer(_schedules, name="schedules")
program.add_typer(_budgets, name="budgets")
program.add_typer(_upstreams, name="upstreams")
program.add_typer(_audit, name="audit")
program.add_typer(_keys, name="keys")
program.add_typer(_webhooks, name="webhooks")
program.add_typer(_people, name="people")
program.add_typer(_db, name="db")

for _tree, _name, _verb in (
    (program, "new", new),
    (program, "dev", dev),
    (program, "up", up),
    (program, "run", run),
    (program, "worker", worker),
    (program, "gateway", gateway),
    (program, "workers", workers),
    (program, "queue", queue),
    (program, "pause", pause),
    (program, "resume", resume),
    (program, "limit", limit),
    (program, "controls", controls),
    (program, "costs", costs),
    (program, "chaos", chaos),
    (program, "doctor", doctor),
    (_runs, "list", list_runs),
    (_runs, "show", show_run),
    (_runs, "events", list_events),
    (_runs, "dead", list_dead),
    (_runs, "fork", fork),
    (_runs, "signal", signal),
    (_runs, "cancel", cancel),
    (_runs, "requeue", requeue),
    (_runs, "purge", purge),
    (_approvals, "list", list_approvals),
    (_approvals, "approve", approve),
    (_approvals, "reject", reject),
    (_approvals, "edit", edit),
    (_schedules, "list", list_schedules),
    (_schedules, "show", show_schedule),
    (_schedules, "put", put_schedule),
    (_schedules, "pause", pause_schedule),
    (_schedules, "resume", resume_schedule),
    (_schedules, "remove", remove_schedule),
    (_schedules, "trigger", trigger_schedule),
    (_budgets, "list", list_budgets),
    (_budgets, "set", set_budget),
    (_budgets, "remove", remove_budget),
    (_upstreams, "list", list_upstreams),
    (_upstreams, "reset", reset_upstream),
    (_audit, "list", list_audit),
    (_audit, "verify", verify_audit),
    (_audit, "head", show_head),
    (_keys, "create", create_key),
    (_keys, "list", list_keys),
    (_keys, "rotate", rotate_key),
    (_keys, "revoke", revoke_key),
    (_webhooks, "secret", webhook_secret),
    (_webhooks, "rotate", rotate_webhook_secret),
    (_people, "add", add_person),
    (_people, "list", list_people),
    (_people, "disable", disable_person),
    (_people, "enable", enable_person),
    (_people, "password", set_password),
    (_db, "migrate", migrate),
    (_db, "status", status),
):
    _tree.command(_name)(_verb)


def main() -> None:
    """The console script. Exits with a code that docs/cli.md explains."""
    try:
        program()
    except Exception as error:
        sys.exit(tell(error))


@program.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    typer.echo(f"callboard {installed('callboard')}")


def _show_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@program.callback()
def _options(
    show: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Durable multi-agent LLM runs: every call on the record."""
