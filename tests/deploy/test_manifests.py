"""What Kubernetes, KEDA, the Prometheus operator and Compose would refuse is refused here."""

import copy
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from tests.deploy.manifests import KUBERNETES, Document, compose, documents, faults, gateway, of_kind, the, worker

WORKER, GATEWAY = "callboard-worker", "callboard-gateway"
OURS = {
    "ScaledObject": "scaledobject",
    "TriggerAuthentication": "triggerauthentication",
    "PodMonitor": "podmonitor",
    "PrometheusRule": "prometheusrule",
    "Kustomization": "kustomization",
}
ALL = [pytest.param(document, id=f"{name}:{document['kind']}") for name, document in documents()]
OF_KUBERNETES = [each for each in ALL if each.values[0]["kind"] not in OURS]  # type: ignore[index]
OF_OTHERS = [each for each in ALL if each.values[0]["kind"] in OURS]  # type: ignore[index]
OVERLAYS = sorted(path.parent for path in KUBERNETES.glob("*/kustomization.yaml"))


@pytest.mark.parametrize("version", ["1.31", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("document", OF_KUBERNETES)
def test_kubernetes_knows_every_field(document: Document, version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_noticed() -> None:
    wrong = copy.deepcopy(the("Deployment", WORKER))
    wrong["spec"]["template"]["spec"]["terminationGraceSeconds"] = 60
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("document", OF_OTHERS)
def test_the_operators_know_every_field(document: Document) -> None:
    assert not faults(OURS[document["kind"]], document)


@pytest.mark.parametrize("document", OF_OTHERS)
def test_a_field_that_an_operator_does_not_know_is_noticed(document: Document) -> None:
    wrong = copy.deepcopy(document)
    wrong.get("spec", wrong)["colour"] = "red"
    assert faults(OURS[document["kind"]], wrong)


def test_compose_knows_every_field() -> None:
    assert not faults("compose", compose())
    wrong = compose()
    wrong["services"]["worker"]["stop_grace"] = "60s"
    assert faults("compose", wrong)


@pytest.mark.parametrize("folder", OVERLAYS, ids=lambda folder: folder.name)
def test_every_resource_is_there_and_none_is_forgotten(folder: Path) -> None:
    (kustomization,) = [document for name, document in documents() if name == f"{folder.name}/kustomization.yaml"]
    there = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml", "secrets.example.yaml"}
    assert set(kustomization["resources"]) == there


@pytest.mark.parametrize("folder", OVERLAYS, ids=lambda folder: folder.name)
def test_kustomize_builds_it(folder: Path) -> None:
    if (kubectl := shutil.which("kubectl")) is None:
        pytest.skip("NOT TESTED: there is no kubectl here")
    built = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    assert built.returncode == 0, built.stderr
    assert "image: app\n" not in built.stdout, "the image's placeholder was not replaced"


@pytest.mark.parametrize("name", [WORKER, GATEWAY])
def test_names_and_labels_fit_together(name: str) -> None:
    deployment = the("Deployment", name)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for selector in (
        deployment["spec"]["selector"],
        the("PodDisruptionBudget", name)["spec"]["selector"],
        the("PodMonitor", name)["spec"]["selector"],
        *(each["labelSelector"] for each in deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]),
    ):
        assert selector["matchLabels"].items() <= labels.items()


def test_what_is_called_and_what_is_scaled_is_there() -> None:
    service = the("Service")
    doors = the("Deployment", GATEWAY)["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= doors.items()
    assert the("NetworkPolicy", GATEWAY)["spec"]["podSelector"]["matchLabels"].items() <= doors.items()
    assert [port["targetPort"] for port in service["spec"]["ports"]] == [port["name"] for port in gateway()["ports"]]
    deployment = the("Deployment", WORKER)
    for scaled in of_kind("ScaledObject"):
        assert scaled["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"], "applying it again would undo what scaled it"


def test_every_secret_that_is_read_is_in_the_template() -> None:
    template = {(each["metadata"]["name"], key) for each in of_kind("Secret") for key in each["stringData"]}
    containers = [worker(), gateway(), *(job["spec"]["template"]["spec"]["containers"][0] for job in of_kind("Job"))]
    read = {
        (ref["name"], ref["key"])
        for container in containers
        for variable in container["env"]
        if (ref := variable["valueFrom"]["secretKeyRef"])
    } | {(ref["name"], ref["key"]) for ref in the("TriggerAuthentication")["spec"]["secretTargetRef"]}
    for endpoint in the("PodMonitor", GATEWAY)["spec"]["podMetricsEndpoints"]:
        read.add((endpoint["authorization"]["credentials"]["name"], endpoint["authorization"]["credentials"]["key"]))
    assert read == template


def test_no_file_holds_a_secret() -> None:
    for secret in of_kind("Secret"):
        assert set(secret["stringData"].values()) == {""}
    for line in (KUBERNETES.parent / "env.example").read_text(encoding="utf-8").splitlines():
        assert not re.search("PASSWORD|SECRET", line) or line.startswith("#") or line.endswith("=")
