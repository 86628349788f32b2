"""What an operator is handed: nothing runs as root, nothing is written where it must not be, every setting is one."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SETTINGS = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", (ROOT / "docs/settings.md").read_text()))
# Of servers that are not ours, of the image, of gunicorn.py.
OTHERS = {
    *("POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "VALKEY_PASSWORD", "FINOPS_IMAGE", "PYTHON_IMAGE", "PATH"),
    *("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PIP_DISABLE_PIP_VERSION_CHECK", "PIP_NO_CACHE_DIR"),
    *("BIND", "WEB_WORKERS", "WEB_THREADS"),
}
OUR_SERVICES = {"migrate", "web", "worker", "beat"}


def documents():
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return [document for file in files for document in yaml.safe_load_all(file.read_text())]


def pods():
    """{name of the workload: the spec of its pods}"""
    with_pods = [document for document in documents() if document["kind"] in ("Deployment", "Job")]
    return {document["metadata"]["name"]: document["spec"]["template"]["spec"] for document in with_pods}


def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_the_image_is_small_runs_as_nobody_and_installs_only_what_was_looked_at():
    text = (DEPLOY / "Dockerfile").read_text()
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    assert len(stages) == 3
    final = stages[-1]
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert "HEALTHCHECK" in final
    assert "pip install" not in final
    assert "--require-hashes" in text
    assert re.findall(r"^ARG PYTHON_IMAGE=(.*)$", text, re.MULTILINE) == ["python:3.13-slim-trixie"]
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", "var"} <= set(ignored)


def test_nothing_is_called_latest():
    named = [service["image"] for service in compose()["services"].values()]
    named += [container["image"] for pod in pods().values() for container in pod["containers"]]
    assert [image for image in named if image.endswith(":latest") or ":" not in image] == []


@pytest.mark.parametrize("name", ["finops-web", "finops-worker", "finops-beat", "finops-migrate"])
def test_a_pod_is_restricted(name):
    pod = pods()[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        allowed = container["securityContext"]
        assert (allowed["readOnlyRootFilesystem"], allowed["allowPrivilegeEscalation"]) == (True, False)
        assert allowed["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_the_parts_of_a_cluster_are_there_and_find_one_another():
    kinds = {(document["kind"], document["metadata"]["name"]) for document in documents()}
    assert {("NetworkPolicy", "finops"), ("PodDisruptionBudget", "finops-web"), ("Job", "finops-migrate")} <= kinds
    (web,) = pods()["finops-web"]["containers"]
    paths = {probe: web[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert paths == {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}
    for document in documents():
        if document["kind"] == "Deployment":
            labels = document["spec"]["template"]["metadata"]["labels"]
            assert document["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_our_services_of_compose_are_read_only_and_nobodys():
    services = compose()["services"]
    assert set(services) == OUR_SERVICES | {"postgres", "valkey"}
    for name in OUR_SERVICES:
        service = services[name]
        assert (service["read_only"], service["user"], service["cap_drop"]) == (True, "10001:10001", ["ALL"]), name
        assert "no-new-privileges:true" in service["security_opt"]
    # Only the proxy of this machine reaches the web, and nobody the servers.
    assert [port for service in services.values() for port in service.get("ports", ())] == ["127.0.0.1:8000:8000"]


def test_every_setting_that_is_named_is_documented():
    named = set()
    for document in documents():
        named |= set(document.get("data", {}))
    for service in compose()["services"].values():
        named |= set(service.get("environment", {}))
    named |= set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "env.example").read_text(), re.MULTILINE))
    named |= set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text()))
    for unit in (DEPLOY / "systemd").glob("*.service"):
        for line in re.findall(r"^Environment=(.*)$", unit.read_text(), re.MULTILINE):
            named |= {part.partition("=")[0] for part in line.split()}
    assert named - SETTINGS - OTHERS == set()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
@pytest.mark.parametrize("unit", sorted(path.name for path in (DEPLOY / "systemd").glob("*.service")))
def test_systemd_finds_no_fault_in_a_unit(unit, tmp_path):
    # Its programs are not on this machine: those of this machine stand in for them.
    text = (DEPLOY / "systemd" / unit).read_text().replace("/opt/finops/venv/bin/", "/bin/true ")
    (tmp_path / unit).write_text(text)
    checked = subprocess.run(["systemd-analyze", "verify", str(tmp_path / unit)], capture_output=True, text=True)
    assert [line for line in checked.stderr.splitlines() if unit in line] == []
    assert "NoNewPrivileges=yes" in text
    assert "User=finops" in text


@pytest.mark.skipif(not shutil.which("docker"), reason="no builder of images is here")
def test_the_builder_finds_no_fault_in_the_image():
    checked = subprocess.run(
        ["docker", "buildx", "build", "--check", "-f", str(DEPLOY / "Dockerfile"), str(ROOT)],
        capture_output=True,
        text=True,
    )
    if re.search("Cannot connect to the Docker daemon|unknown (command|flag|shorthand)", checked.stderr):
        pytest.skip("the builder of images does not run here")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_proxy_hands_on_uploads_and_downloads_as_they_come():
    text = (DEPLOY / "nginx.conf").read_text()
    for line in (
        "client_max_body_size 4g;",
        "proxy_buffering off;",
        "proxy_request_buffering off;",
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_set_header X-Request-Id $request_id;",
        "location = /metrics { return 404; }",
    ):
        assert line in text
    assert text.count("{") == text.count("}")
    assert "max_size 4GB" in (DEPLOY / "Caddyfile").read_text()
