"""Verbs, options, settings and metrics that the deploy files name are those that the code has."""

import re

import msgspec
import pytest
import typer.main

from callboard.apps.cli.program import program
from callboard.settings import EngineSettings, GatewaySettings, Settings, TelemetrySettings, from_environment
from callboard.telemetry.exposition import Exposition, Levels
from callboard.telemetry.metrics import Metrics
from tests.deploy.dockerfile import instructions
from tests.deploy.manifests import DEPLOY, compose, gateway, of_kind, the, worker

COMMANDS = [
    pytest.param(words, id=" ".join(words))
    for words in (
        worker()["args"],
        gateway()["args"],
        *(job["spec"]["template"]["spec"]["containers"][0]["args"] for job in of_kind("Job")),
        *(compose()["services"][name]["command"] for name in ("migrate", "worker", "gateway")),
    )
]
ADDED_WHEN_SCRAPED = {"namespace", "pod", "job", "instance"}


def refusal(words: list[str]) -> str:
    """Why the command line would not take these words; empty if it would."""
    context = None
    command = typer.main.get_command(program)
    rest = list(words)
    try:
        while hasattr(command, "commands"):
            command = command.commands[rest.pop(0)]
        context = command.make_context("callboard", rest)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        if context is not None:
            context.close()
    return ""


def settings() -> set[str]:
    """The variables that are read from the environment."""
    trees = ((Settings, ""), (EngineSettings, ""), (GatewaySettings, "GATEWAY_"), (TelemetrySettings, "TELEMETRY_"))
    return {
        f"CALLBOARD_{prefix}{field.name.upper()}"
        for tree, prefix in trees
        for field in msgspec.structs.fields(tree)
        if field.name not in ("engine", "gateway", "telemetry")
    }


def samples() -> dict[str, set[str]]:
    """The names under which Prometheus keeps our metrics, each with its labels."""
    metrics = Metrics()
    metrics.end("succeeded", "flow")
    metrics.refused["max_ready"] += 1
    exposition = Exposition(metrics)
    exposition.text(Levels(runs={"ready": 0}, oldest=0.0, active=0, capacity=1))
    found: dict[str, set[str]] = {}
    for family in exposition.registry.collect():
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_is_one_that_callboard_takes(words: list[str]) -> None:
    assert not refusal(words)


def test_a_command_that_it_does_not_take_is_noticed() -> None:
    assert refusal(["worker", "shop", "--grase", "5"])
    assert refusal(["migrate"])


def test_every_setting_is_one_that_is_read() -> None:
    services = compose()["services"]
    found = set(the("ConfigMap")["data"])
    found |= {each["name"] for container in (worker(), gateway()) for each in container["env"]}
    found |= {
        each["name"] for job in of_kind("Job") for each in job["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    found |= {name for service in ("migrate", "worker", "gateway") for name in services[service]["environment"]}
    found |= {name for each in instructions() for name in re.findall(r"\bCALLBOARD_\w+(?==)", each.rest)}
    found |= set(re.findall(r"\bCALLBOARD_\w+(?==)", (DEPLOY / "postgres" / "pgbouncer.ini").read_text("utf-8")))
    assert found <= settings()


def test_the_values_of_settings_can_be_used() -> None:
    from_environment(the("ConfigMap")["data"])
    for name in ("worker", "gateway"):
        from_environment(compose()["services"][name]["environment"])


def test_every_variable_of_compose_is_in_the_example_of_its_environment() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    example = (DEPLOY / "env.example").read_text(encoding="utf-8")
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    assert used == set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    assert not re.findall(r"\$\{\w+\}", text), "a variable that is not set is to stop the start: ${NAME:?}"


def queries() -> list[str]:
    """What is asked of Prometheus."""
    rules = [rule["expr"] for group in the("PrometheusRule")["spec"]["groups"] for rule in group["rules"]]
    triggers = [trigger for each in of_kind("ScaledObject") for trigger in each["spec"]["triggers"]]
    return rules + [trigger["metadata"]["query"] for trigger in triggers if trigger["type"] == "prometheus"]


@pytest.mark.parametrize("query", queries())
def test_every_metric_and_label_of_a_query_is_one_that_workers_tell(query: str) -> None:
    found, known = re.findall(r"\b(callboard_\w+)(?:\{([^}]*)\})?", query), samples()
    assert found
    assert query.count("(") == query.count(")")
    for name, matchers in found:
        assert name in known
        assert 'namespace="callboard"' in matchers, "another fleet's numbers would be mixed in"
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= known[name] | ADDED_WHEN_SCRAPED
    by = {label.strip() for labels in re.findall(r"\bby \(([^)]*)\)", query) for label in labels.split(",")}
    assert by <= set().union(*(known[name] for name, _ in found))


def test_alerts_say_what_to_do_in_verbs_that_there_are() -> None:
    for group in the("PrometheusRule")["spec"]["groups"]:
        for rule in group["rules"]:
            for verb in re.findall(r"`?callboard ((?:runs )?[a-z]+)\b", rule["annotations"]["description"]):
                assert not refusal(verb.split()), verb
