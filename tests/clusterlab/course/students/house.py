"""A repository with one class, and a stack of it that is up: what a bring-up is tried on, and what it left there."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from rich.console import Console

from clusterlab.catalog import Catalog
from clusterlab.cluster import Cluster
from clusterlab.course.fleet.warm import Warmed
from clusterlab.course.language import Language
from clusterlab.course.provision import Update
from clusterlab.course.students.bring_up import BringUp
from tests.clusterlab.course.students.fake_skypilot import PASSWORD
from tests.repository import ROOT

COURSE = "llm-2026"
STUDENTS = ("ana", "ben", "cleo")
TEXT = """\
course: llm-2026
infra: [aws/us-east-1]
roster: [{students}]
teams: {{red: [{students}]}}
instructors: [prof@example.com]
dates: {{start: 2026-09-01, end: 2026-12-18}}
time_zone: Europe/Madrid
hours: ["tue 10:00-12:00"]
labs:
  quantize: {{runs: 2, due: {due}}}
  qlora:
budget_usd: {{course: 2500, student: {usd}}}
mode: {mode}
warm_minutes: 20
network: {{cidr: 10.60.0.0/16, zones: [a, b], ssh_from: [192.0.2.0/24]}}
"""
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "clusterlab-llm-2026",
    "contexts": [{"name": "clusterlab-llm-2026", "context": {"cluster": "c", "user": "u"}}],
    "clusters": [{"name": "c", "cluster": {"server": "https://k.example", "certificate-authority-data": "QQ=="}}],
    "users": [
        {
            "name": "u",
            "user": {
                "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1beta1",
                    "command": "aws",
                    "args": ["eks", "get-token", "--cluster-name", "clusterlab-llm-2026", "--region", "us-east-1"],
                    "interactiveMode": "Never",
                }
            },
        }
    ],
}


@cache
def prices() -> Catalog:
    """Read once for all classes."""
    return Catalog.load()


def role(student: str) -> str:
    return f"arn:aws:iam::123456789012:role/clusterlab/{COURSE}/student/clusterlab-{COURSE}-student-{student}"


class Papers:
    """What AWS keeps of a course server: its secret and its certificate; None while the machine has not written it."""

    home = "us-east-1"

    def __init__(self) -> None:
        self.secret: str | None = f"ADMIN_PASSWORD={PASSWORD}\nCLUSTERLAB_NOTIFY=x\n"

    def client(self, service: str, region: str) -> Papers:
        del service, region
        return self

    def get_secret_value(self, **_: str) -> dict[str, str]:
        from botocore.exceptions import ClientError

        if self.secret is None:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no value"}}, "GetSecretValue")
        return {"SecretString": self.secret}

    def get_object(self, **_: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(b"-----BEGIN CERTIFICATE-----\n")}


@dataclass(kw_only=True)
class House:
    """The repository."""

    root: Path
    students: Sequence[str] = STUDENTS
    due: str = "2026-09-22"
    usd: int = 110
    mode: str = "per-student"
    outputs: dict[str, Any] = field(default_factory=dict)
    changed: int = 0
    """How many resources the next update changes."""
    cloud: Any = None
    clusters: Callable[[], Warmed] | None = None
    naps: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        for name in ("labs", "jobs"):
            if not (self.root / name).exists():
                (self.root / name).symlink_to(ROOT / name)
        (self.root / ".sky.yaml").write_text("# SkyPilot's\n\nadmin_policy: clusterlab.policy.CoursePolicy\n")

    @property
    def folder(self) -> Path:
        return self.root / "classes" / COURSE

    def exports(self) -> dict[str, Any]:
        """What the stack says."""
        return {
            "aws_vpc_name": "clusterlab-llm-2026",
            "aws_remote_identity": "clusterlab-llm-2026-node",
            "aws_security_group_name": "clusterlab-llm-2026",
            "aws_region": "us-east-1",
            "aws_bucket": "clusterlab-llm-2026-123456789012",
            "aws_student_roles": {each: role(each) for each in self.students},
            **self.outputs,
        }

    def cluster(self) -> Cluster:
        path = self.root / "clusters" / f"{COURSE}.yaml"
        path.parent.mkdir(exist_ok=True)
        text = TEXT.format(students=", ".join(self.students), due=self.due, usd=self.usd, mode=self.mode)
        path.write_text(text)
        return Cluster.load(path, catalog=prices(), to_provision=True)

    def bring_up(self, language: Language | None = None, *, terminal: bool = False) -> str:
        """Do it, and return what was told."""
        out = io.StringIO()
        BringUp(
            cluster=self.cluster(),
            root=self.root,
            stack=lambda: Update(outputs=self.exports(), num_changed=self.changed),
            cloud=self.cloud,
            console=Console(file=out, width=200, force_terminal=terminal),
            config=self.root / ".sky.yaml",
            language=language,
            clusters=self.clusters,
            sleep=self.naps.append,
        ).run()
        return out.getvalue()


def shared(endpoint: str = "") -> dict[str, Any]:
    """What a stack exports beside, with a cluster for all or a server."""
    if not endpoint:
        return {"kubeconfig": json.dumps(KUBECONFIG)}
    return {
        "aws_server_endpoint": endpoint,
        "aws_server_secret": "arn:aws:secretsmanager:us-east-1:123456789012:secret:clusterlab-llm-2026-server",
        "aws_server_certificate": "s3://clusterlab-llm-2026-123456789012/server/certificate.pem",
    }


def tree(folder: Path) -> Mapping[str, tuple[int, str]]:
    """Every file and folder below one, with its mode and what it says; of keys and tokens only that they are there."""
    found = {}
    for path in sorted(folder.rglob("*")):
        text = path.read_text() if path.is_file() else "/"
        if path.name in ("id_ed25519", "id_ed25519.pub", "token"):
            text = f"{re.sub('[^ ]+', 'x', text.splitlines()[0])} {path.name}" if text else ""
        found[str(path.relative_to(folder))] = (path.stat().st_mode & 0o777, text)
    return found
