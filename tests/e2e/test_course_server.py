"""The course server as its units run it: SkyPilot's API server behind nginx, with the ledger, and users by token."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
import yaml
from moto.server import ThreadedMotoServer

from clusterlab.catalog import Catalog
from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.rehearsal.prices import write_skypilot_catalog
from infra.aws.server_setup import Setup, user_data, variables
from tests import postgresql
from tests.ports import free_port, skypilot_port
from tests.repository import ROOT
from tests.web import Handler, serving

FILES = ROOT / "images" / "server"
TASK = """
name: echo
resources:
  infra: aws/us-east-1
  instance_type: m5.large
  autostop: {idle_minutes: 5, down: true}
  labels: {course: llm-2026, lab: echo}
run: echo
"""
UNTAGGED = TASK.replace("  labels: {course: llm-2026, lab: echo}\n", "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """A server that runs, and how one talks to it."""

    endpoint: str
    authority: Path
    admin: tuple[str, str]
    home: Path

    def call(self, method: str, path: str, **given: Any) -> requests.Response:
        return requests.request(method, self.endpoint + path, verify=str(self.authority), timeout=60, **given)

    def token_of(self, student: str) -> str:
        made = self.call("POST", "/users/service-account-tokens", auth=self.admin, json={"token_name": student})
        assert made.status_code == 200, made.text
        return str(made.json()["token"])

    def launch(self, token: str, task: str, **brought: Any) -> str:
        """What the server says to a launch, which a client of the student's own making asks for."""
        headers = {"Authorization": f"Bearer {token}"}
        body = {"task": task, "cluster_name": "one", "env_vars": {}, **brought}
        asked = self.call("POST", "/launch", headers=headers, json=body)
        assert asked.status_code == 200, asked.text
        name = asked.headers["X-Skypilot-Request-ID"]
        answer = self.call("GET", "/api/get", headers=headers, params={"request_id": name}).json()
        return str(json.loads(answer["detail"]["error"])["message"])


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    programs = postgresql.programs()
    if programs is None or not shutil.which("nginx", path="/usr/sbin:/usr/bin"):
        pytest.skip(f"needs PostgreSQL and nginx: `{postgresql.INSTALL} nginx-light`")
    home = tmp_path_factory.mktemp("course")
    with postgresql.server(programs) as database, _aws(home) as aws:
        ledger = database.new_schema("clusterlab")
        with closing(Ledger.open(ledger, begin=True)) as opened:
            opened.set_cap(Scope.COURSE, "llm-2026", Decimal("0.01"))
        environment = _environment(home, ledger) | aws
        with _served(environment, home) as port, _tls(home, port) as endpoint:
            admin = ("admin", environment["PASSWORD"])
            yield Course(endpoint=endpoint, authority=home / "certificate.pem", admin=admin, home=home)


def test_who_has_no_token_is_refused(course: Course) -> None:
    assert course.call("POST", "/status", json={}).status_code == 401
    wrong = {"Authorization": "Bearer sky_nothing"}
    assert course.call("POST", "/status", json={}, headers=wrong).status_code == 401
    # Who would be the machine itself, were it not for the header that nginx sets.
    assert course.call("POST", "/status", json={}, headers={"X-Auth-Request-Email": "admin"}).status_code == 401


def test_sky_logs_in_with_a_token(course: Course, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "REQUESTS_CA_BUNDLE": str(course.authority)}
    token = course.token_of("ana")
    sky = [str(Path(sys.executable).with_name("sky")), "api"]
    login = [*sky, "login", "--endpoint", course.endpoint, "--token", token]
    said = subprocess.run(login, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "User: ana (sa-" in said.stdout + said.stderr
    said = subprocess.run([*sky, "info"], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert course.endpoint in said.stdout
    assert "User: ana (sa-" in said.stdout


def test_a_launch_keeps_to_the_policy_whatever_its_request_brings_along(course: Course) -> None:
    token = course.token_of("ben")
    with _lenient() as policy:
        brought = {"env_vars": {"CLUSTERLAB_LEDGER": ""}, "override_skypilot_config": {"admin_policy": policy}}
        assert "resources.labels.course: missing" in course.launch(token, UNTAGGED, **brought)
        assert "course llm-2026: " in course.launch(token, TASK, **brought)


def test_a_student_launches_in_no_other_name(course: Course) -> None:
    token = course.token_of("cleo")
    said = course.launch(token, TASK.replace("lab: echo", "lab: echo, student: dan"))
    assert "resources.labels.student: 'dan'; allowed: cleo" in said
    headers = {"Authorization": f"Bearer {token}"}
    made = course.call("POST", "/users/service-account-tokens", headers=headers, json={"token_name": "dan"})
    assert made.status_code == 403


def _environment(home: Path, ledger: str) -> dict[str, str]:
    """The files that cloud-init writes, put here, and the variables of the units."""
    setup = Setup(
        course="llm-2026",
        region="us-east-1",
        regions=("us-east-1",),
        bucket="runs",
        code="server/code.zip",
        volume_id="vol-1",
        address="127.0.0.1",
        domain=None,
        secret_arn="admin",
        budget_usd=Decimal(1),
        granted_hours=12,
        emails=(),
        keep={"lab=infra": "the class's own"},
        skypilot={
            f"aws_{each}": "clusterlab-llm-2026" for each in ("vpc_name", "remote_identity", "security_group_name")
        },
    )
    for file in yaml.safe_load(user_data(setup))["write_files"]:
        (home / Path(file["path"]).name).write_text(file["content"])
    shutil.copy(FILES / "plugins.yaml", home)
    # What it would fetch from the net.
    write_skypilot_catalog(Catalog.load(), home)
    found = {name: value.replace("/etc/clusterlab", str(home)) for name, value in variables(setup).items()}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    own = {"HOME": str(home), "PATH": path, "CLUSTERLAB_LEDGER": ledger, "CLUSTERLAB_ROOT": str(ROOT)}
    return found | own | {"SKYPILOT_API_SERVER_LOCAL_PORT": str(skypilot_port())}


@contextmanager
def _aws(home: Path) -> Iterator[dict[str, str]]:
    """An emulated AWS, with the secret as the server's script begins it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true"}
    aws = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_DEFAULT_REGION": "us-east-1", **keys}
    secrets = boto3.client(
        "secretsmanager",
        endpoint_url=aws["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    secrets.create_secret(Name="admin")
    file = home / "secret.env"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    script = {"PATH": path, "HOME": str(home), "SECRET_ARN": "admin", "SECRET_FILE": str(file)}
    try:
        subprocess.run(["bash", FILES / "secret.sh"], env=aws | script, check=True)
        written = dict(line.split("=", 1) for line in file.read_text().splitlines())
        password = secrets.get_secret_value(SecretId="admin")["SecretString"].strip().removeprefix("ADMIN_PASSWORD=")
        yield aws | {name: value.strip("'") for name, value in written.items()} | {"PASSWORD": password}
    finally:
        server.stop()


@contextmanager
def _served(environment: dict[str, str], home: Path) -> Iterator[int]:
    """SkyPilot's API server, by the command of its unit."""
    (line,) = [each for each in (FILES / "skypilot-api.service").read_text().splitlines() if "ExecStart=" in each]
    command = shlex.split(line.removeprefix("ExecStart="))
    sky = str(Path(sys.executable).parent / Path(command[0]).name)
    port = int(environment["SKYPILOT_API_SERVER_LOCAL_PORT"])
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen([sky, *command[1:]], env=environment, cwd=home, stdout=log, stderr=log)
    try:
        _wait(port, process, home / "server.log")
        yield port
    finally:
        subprocess.run([sky, "api", "stop"], env=environment, cwd=home, check=False, capture_output=True)
        process.wait(timeout=30)


@contextmanager
def _tls(home: Path, behind: int) -> Iterator[str]:
    """nginx with the server's own file."""
    port, user = free_port(), ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    files = ["-keyout", str(home / "key.pem"), "-out", str(home / "certificate.pem")]
    subprocess.run([*made, *user, *files], check=True, capture_output=True)
    site = (FILES / "nginx.conf").read_text().replace("listen 443", f"listen 127.0.0.1:{port}")
    site = site.replace("127.0.0.1:46580", f"127.0.0.1:{behind}").replace("/etc/clusterlab/tls", str(home))
    places = "".join(
        f"{kind}_temp_path {home}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = f"daemon off; pid {home}/nginx.pid; error_log {home}/nginx.log; events {{}}"
    (home / "nginx.conf").write_text(f"{main} http {{ access_log off; {places} {site} }}")
    (home / "nginx.conf").chmod(0o644)
    nginx = subprocess.Popen(["/usr/sbin/nginx", "-c", str(home / "nginx.conf"), "-g", "user root;"])
    try:
        _wait(port, nginx, home / "nginx.log")
        yield f"https://127.0.0.1:{port}"
    finally:
        nginx.terminate()
        nginx.wait(timeout=10)


@contextmanager
def _lenient() -> Iterator[str]:
    """A policy of the student's own, which lets everything pass."""

    class Policy(Handler):
        def respond(self) -> None:
            # SkyPilot sends and takes JSON as a text in JSON.
            asked = json.loads(json.loads(self.body()))
            self.send_json(json.dumps({key: asked[key] for key in ("task", "skypilot_config")}))

    with serving(Policy) as url:
        yield url


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        with closing(socket.socket()) as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())
