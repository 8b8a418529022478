"""What cloud-init does on the course server: it fetches the course's code, whose `images/server/setup.sh` goes on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from clusterlab.course.config import skypilot_config

ROOT = Path(__file__).parents[2]
"""The repository's."""
CODE = ("clusterlab", "labs", "clusters", "images", ".sky.yaml", "Makefile", "README.md", "pyproject.toml")
"""Of the repository, what the server has: no job runs on it, and none of Pulumi."""
PACKAGES = (
    "gcc",
    "libc6-dev",
    "make",
    "nginx-light",
    "openssh-client",
    "postgresql",
    "python3-boto3",
    "python3-venv",
    "rsync",
    "socat",
)
CERTBOT = ("certbot", "python3-certbot-dns-route53")
ENTRY = re.compile(r"[A-Za-z0-9 @:/.,_+*{}?=%-]*")
"""What stands between double quotes as it is, for systemd and for a shell."""
LEDGER = "postgresql:///ledger?host=/run/postgresql"
FETCH = """import boto3, sys, zipfile
bucket, key, region = sys.argv[1:]
boto3.client("s3", region_name=region).download_file(bucket, key, "/run/clusterlab-code.zip")
zipfile.ZipFile("/run/clusterlab-code.zip").extractall("/opt/clusterlab")
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """What the machine is told; nothing of it is a secret.

    Raises:
        ValueError: a value of the class's cannot stand in a file of variables.
    """

    course: str
    region: str
    regions: tuple[str, ...]
    bucket: str
    code: str
    """The key of its code in the bucket."""
    volume_id: str
    address: str
    domain: str | None
    secret_arn: str
    budget_usd: Decimal
    granted_hours: int
    emails: tuple[str, ...]
    keep: Mapping[str, str]
    skypilot: Mapping[str, Any]
    """What the stack exports of AWS for SkyPilot's configuration."""

    def __post_init__(self) -> None:
        # What AWS answers with has none of it.
        written = (self.course, self.region, *self.regions, self.domain or "", *self.emails)
        wrong = [value for value in written if not ENTRY.fullmatch(value)]
        if wrong:
            raise ValueError(f"no values of variables: {wrong}")


def user_data(setup: Setup) -> str:
    """cloud-init's configuration, a document of YAML."""
    fetch = ["/usr/bin/python3", "-c", FETCH, setup.bucket, setup.code, setup.region]
    document = {
        "package_update": True,
        "packages": [*PACKAGES, *(CERTBOT if setup.domain else ())],
        "write_files": list(_files(setup)),
        "runcmd": [
            "set -e",
            fetch,
            ["make", "-C", "/opt/clusterlab", ".venv/sky/installed"],
            ["/bin/bash", "/opt/clusterlab/images/server/setup.sh"],
        ],
    }
    return "#cloud-config\n" + yaml.safe_dump(document, sort_keys=False, width=120)


def variables(setup: Setup) -> dict[str, str]:
    """The environment of the server's units."""
    return {
        "ADDRESS": setup.address,
        "AWS_DEFAULT_REGION": setup.region,
        "BUDGET_USD": str(setup.budget_usd),
        "CERTIFICATE": certificate(setup.bucket),
        "CLUSTERLAB_BUCKET": setup.bucket,
        "CLUSTERLAB_COURSE": setup.course,
        "CLUSTERLAB_LEASE_HOURS": str(setup.granted_hours),
        "CLUSTERLAB_LEDGER": LEDGER,
        "CLUSTERLAB_ROOT": "/opt/clusterlab",
        "DATA_VOLUME": setup.volume_id,
        "DOMAIN": setup.domain or "",
        "ENABLE_SERVICE_ACCOUNTS": "true",
        "ENFORCE": " ".join(f"--to {email}" for email in setup.emails),
        "METER": " ".join(f"--aws {region}" for region in setup.regions),
        "SECRET_ARN": setup.secret_arn,
        "SKYPILOT_DISABLE_USAGE_COLLECTION": "1",
        "SKYPILOT_GLOBAL_CONFIG": "/etc/clusterlab/sky.yaml",
        "SKYPILOT_SERVER_PLUGINS_CONFIG": "/etc/clusterlab/plugins.yaml",
    }


def certificate(bucket: str) -> str:
    """Where the certificate lies that a server without a domain signed itself."""
    return f"s3://{bucket}/server/certificate.pem"


def code_files(root: Path) -> dict[str, Path]:
    """The files of `CODE` by their path in the repository, in order; what Python compiled is none."""
    found = [path for name in CODE for path in ((root / name).rglob("*") if (root / name).is_dir() else [root / name])]
    files = {path.relative_to(root).as_posix(): path for path in found if path.is_file()}
    return {name: files[name] for name in sorted(files) if "__pycache__" not in name}


def code_key(files: Mapping[str, Path]) -> str:
    """The key of the code in the bucket, by its content: other code is another machine."""
    digest = hashlib.sha256()
    for name, path in files.items():
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return f"server/code-{digest.hexdigest()[:16]}.zip"


def _files(setup: Setup) -> Iterator[dict[str, Any]]:
    skypilot = skypilot_config(setup.skypilot) | {
        "admin_policy": "clusterlab.api_server.ServedPolicy",
        "allowed_clouds": ["aws"],
        # SkyPilot's own default is an administrator.
        "rbac": {"default_role": "user"},
    }
    written = {
        "server.env": "".join(f'{name}="{value}"\n' for name, value in variables(setup).items()),
        "sky.yaml": yaml.safe_dump(skypilot, sort_keys=False),
        "keep.json": json.dumps({"keep": dict(setup.keep)}, indent=2) + "\n",
    }
    for name, content in written.items():
        yield {"path": f"/etc/clusterlab/{name}", "content": content, "permissions": "0644"}
    # The database is made where its disk is, not where the package would make it.
    no_main = "create_main_cluster = false\n"
    yield {"path": "/etc/postgresql-common/createcluster.conf", "content": no_main, "permissions": "0644"}
