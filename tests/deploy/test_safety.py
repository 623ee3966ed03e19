"""Nothing runs as root, writes where it need not, or is killed before it has handed its runs back."""

import pytest

from callboard.settings import EngineSettings
from tests.deploy.dockerfile import instructions
from tests.deploy.manifests import Document, compose, gateway, of_kind, option, seconds, the, worker

PODS = [
    pytest.param(each["spec"]["template"]["spec"], id=each["metadata"]["name"])
    for each in (*of_kind("Deployment"), *of_kind("Job"))
]
HANDING_BACK = 10.0  # seconds: effects that do not heed the drain are let go of, and connections are closed


@pytest.mark.parametrize("pod", PODS)
def test_a_pod_keeps_to_the_strictest_standard(pod: Document) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("service", ["migrate", "worker", "gateway"])
def test_a_service_of_compose_keeps_to_it_too(service: str) -> None:
    found = compose()["services"][service]
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("container", [worker(), gateway()], ids=lambda container: container["name"])
def test_a_pod_has_longer_than_it_needs_to_stop(container: Document) -> None:
    drain = float(the("ConfigMap")["data"].get("CALLBOARD_DRAIN", EngineSettings().drain))
    grace = float(option(container["args"], "--grace"))
    pod = the("Deployment", f"callboard-{container['name']}")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > grace + drain + HANDING_BACK


@pytest.mark.parametrize("name", ["worker", "gateway"])
def test_a_container_has_longer_than_it_needs_to_stop(name: str) -> None:
    service = compose()["services"][name]
    drain = float(service["environment"].get("CALLBOARD_DRAIN", EngineSettings().drain))
    assert seconds(service["stop_grace_period"]) > float(option(service["command"], "--grace")) + drain + HANDING_BACK


@pytest.mark.parametrize("container", [worker(), gateway()], ids=lambda container: container["name"])
def test_readiness_is_seen_to_be_gone_before_no_more_is_taken(container: Document) -> None:
    """With one probe lost on the way: the time between two probes is shorter than the grace, or as long."""
    assert container["readinessProbe"]["periodSeconds"] <= float(option(container["args"], "--grace"))


@pytest.mark.parametrize(
    ("container", "at"), [(worker(), "--health-port"), (gateway(), "--port")], ids=["worker", "gateway"]
)
def test_probes_ask_where_the_process_answers(container: Document, at: str) -> None:
    (port,) = container["ports"]
    assert str(port["containerPort"]) == option(container["args"], at)
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": port["name"]}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": port["name"]}
    (endpoint,) = the("PodMonitor", f"callboard-{container['name']}")["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == (port["name"], "/metrics")
    (rule,) = the("NetworkPolicy", {"worker": "callboard"}.get(container["name"], "callboard-gateway"))["spec"][
        "ingress"
    ]
    assert [each["port"] for each in rule["ports"]] == [port["containerPort"]]


def test_the_gateway_of_compose_is_asked_how_it_is_and_reached_from_this_machine_alone() -> None:
    service = compose()["services"]["gateway"]
    (check,) = [each.rest for each in instructions() if each.word == "HEALTHCHECK"]
    assert f":{option(service['command'], '--port')}/livez" in check
    (published,) = service["ports"]
    assert published.startswith("127.0.0.1:")
    assert published.endswith(f":{option(service['command'], '--port')}")


def test_workers_may_go_out_to_what_they_need_and_to_nothing_else() -> None:
    policy = the("NetworkPolicy", "callboard")["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {53, 443, 5432, 6379, 6432}
    (public,) = [to["ipBlock"] for rule in policy["egress"] for to in rule["to"] if _anywhere(to)]
    assert public["except"] == ["169.254.0.0/16"]


def _anywhere(to: Document) -> bool:
    return bool(to.get("ipBlock", {}).get("cidr") == "0.0.0.0/0")


def test_a_fleet_scales_before_its_workers_are_full_and_never_to_none() -> None:
    room = float(option(worker()["args"], "--concurrency"))
    for scaled in of_kind("ScaledObject"):
        runs, age = scaled["spec"]["triggers"]
        assert scaled["spec"]["minReplicaCount"] >= 1
        assert runs["metricType"] == "AverageValue"
        assert float(runs["metadata"].get("threshold") or runs["metadata"]["targetQueryValue"]) < room
        assert age["metricType"] == "Value"


def test_services_start_in_order() -> None:
    services = compose()["services"]
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in ("worker", "gateway"):
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        assert services[name]["depends_on"]["redis"]["condition"] == "service_healthy"
    for name in ("postgres", "redis"):
        assert services[name]["healthcheck"]["test"]
        assert services[name]["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
