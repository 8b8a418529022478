"""An emulated EC2: moto's, where every instance is a host of this machine that one can log in to.

moto answers the cloud's interface and keeps what was made: machines, disks, networks, roles, buckets. This module
stands in front of it. It boots, stops and ends hosts as calls to EC2 go through, serves machines what they ask about
themselves, and lets calls fail where a fault is to be rehearsed.
"""

from __future__ import annotations

import base64
import io
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from clusterlab.errors import ClusterlabError
from clusterlab.rehearsal import backend
from clusterlab.rehearsal.faults import Fault, Injector, Reply
from clusterlab.rehearsal.host import GATEWAY, METADATA, PUBLIC_NETWORK, Host
from clusterlab.rehearsal.transport import take_for_tls

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PORT = 5000
ENDPOINT = f"http://{GATEWAY}:{PORT}"
LOOPBACK = "127.0.0.1"
LOCAL_ENDPOINT = f"http://{LOOPBACK}:{PORT}"
"""The same cloud, where the class's program looks for it: that takes no other address."""
THE_PROGRAM = "Credential=emulated/"
"""In the signature of what the class's program asks for (`infra/emulated/account.py`)."""
OUTAGE_SECONDS = 1.0
INSTANCE_ID = re.compile(rb"<instanceId>(i-[0-9a-f]+)</instanceId>")

CACHE = "clusterlab-cache"
"""A folder of every machine that is one and the same: what a job makes once is there for the next."""
NODE_VARIABLES = {
    "AWS_ENDPOINT_URL": ENDPOINT,
    "AWS_DEFAULT_REGION": backend.REGION,
    "CLUSTERLAB_CACHE": f"/{CACHE}",
    "RCLONE_S3_ENDPOINT": ENDPOINT,
    "RCLONE_S3_FORCE_PATH_STYLE": "true",
    # Without TLS it would want to read what it sends twice, to sign it.
    "RCLONE_S3_USE_UNSIGNED_PAYLOAD": "true",
}
"""What everything on a machine finds in its environment, so that the cloud which it reaches is this one."""
SSHD = f"""
ssh-keygen -A -q
cat > /etc/ssh/sshd_config <<END
UsePAM no
PasswordAuthentication no
StrictModes no
MaxSessions 100
MaxStartups 100
Subsystem sftp internal-sftp
SetEnv {" ".join(f"{name}={value}" for name, value in NODE_VARIABLES.items())}
END
exec /usr/sbin/sshd -D -e
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call to EC2 that changed something, or was refused."""

    action: str
    instances: tuple[str, ...]
    error: str | None
    at: datetime
    """By the cloud's clock."""
    disk_gb: int = 0
    """Of the root disk that was asked for with a machine."""
    disks: tuple[str, ...] = ()
    """The ids of the root disks, one for each machine."""


@dataclass(kw_only=True)
class EmulatedCloud:
    """The cloud of one rehearsal; `start` it in the namespaces of that."""

    folder: Path
    """Where the disks of its machines lie."""
    layers: Sequence[Path]
    cache: Path
    """What jobs make once and keep, the models that they pretrain say, from one rehearsal to the next."""
    injector: Injector = field(default_factory=Injector)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    """What time it is in the cloud: when its machines were launched and ended, and the date of its answers."""
    calls: list[Call] = field(default_factory=list)
    hosts: dict[str, Host] = field(default_factory=dict)
    """By instance id."""
    _servers: list[Any] = field(default_factory=list)
    _answers: dict[str, tuple[str, list[tuple[str, str]], bytes]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def start(self) -> None:
        """Serve the cloud's interface at `ENDPOINT` and `LOCAL_ENDPOINT`, and its metadata service."""
        backend.set_clock(self.clock)
        from moto.ec2.models import elastic_network_interfaces
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        numbers = iter(range(11, 255))
        # moto invents addresses that somebody on the internet has.
        self.cache.mkdir(exist_ok=True)
        self.cache.chmod(0o777)  # Machines have users of their own.
        interfaces: Any = elastic_network_interfaces
        interfaces.random_public_ip = lambda: f"{PUBLIC_NETWORK}.{next(numbers)}"
        gate = _Gate(cloud=self, app=DomainDispatcherApplication(create_backend_app))
        take_for_tls()
        for address, port in ((GATEWAY, PORT), (LOOPBACK, PORT), (METADATA, 80)):
            server = make_server(address, port, gate, threaded=True, request_handler=_quiet_handler(self.clock))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self._servers.append(server)

    def stop(self) -> None:
        """Cut the power of every machine, and answer no more."""
        with self._lock:
            servers, self._servers = self._servers, []
        for server in servers:
            server.shutdown()
            server.server_close()
        with self._lock:
            for host in self.hosts.values():
                host.remove()
            self.hosts.clear()

    def go_out(self) -> None:
        """Be gone, once the call that is being answered has been."""
        threading.Timer(OUTAGE_SECONDS, self.stop).start()

    def answered(self, token: str) -> tuple[str, list[tuple[str, str]], bytes] | None:
        """What an earlier call with the same client token was answered: EC2 does nothing twice for one."""
        return self._answers.get(token)

    def heed(self, action: str, answer: bytes, form: dict[str, list[str]]) -> None:
        """Let happen to hosts what EC2 was asked to do with instances."""
        asked = [values[0] for key, values in sorted(form.items()) if key.startswith("InstanceId.")]
        instances = [found.decode() for found in INSTANCE_ID.findall(answer)] if action == "RunInstances" else asked
        with self._lock:
            self._note(action, form, instances=tuple(instances))
            for instance in instances:
                {"RunInstances": self._boot, "StartInstances": self._boot, "StopInstances": self._halt}.get(
                    action, self._end
                )(instance)

    def _note(
        self, action: str, form: dict[str, list[str]], *, instances: tuple[str, ...] = (), error: str | None = None
    ) -> None:
        sizes = [int(values[0]) for key, values in form.items() if key.endswith(".Ebs.VolumeSize")]
        disk_gb = sum(sizes) if action == "RunInstances" else 0
        disks = tuple(map(backend.root_disk, instances)) if action == "RunInstances" else ()
        self.calls.append(
            Call(action=action, instances=instances, error=error, at=self.clock(), disk_gb=disk_gb, disks=disks)
        )

    def _boot(self, instance_id: str) -> None:
        if instance_id not in self.hosts:
            self.hosts[instance_id] = self._host(instance_id)
        self.hosts[instance_id].start()

    def _halt(self, instance_id: str) -> None:
        if instance_id in self.hosts:
            self.hosts[instance_id].stop()

    def _end(self, instance_id: str) -> None:
        host = self.hosts.pop(instance_id, None)
        if host is not None:
            host.remove()
        backend.unplug(instance_id)

    def _host(self, instance_id: str) -> Host:
        instance = backend.instance(instance_id)
        return Host(
            name=f"ip-{instance.private_ip.replace('.', '-')}",
            folder=self.folder / instance_id,
            layers=self.layers,
            address=instance.private_ip,
            public_address=instance.public_ip,
            shared={CACHE: self.cache},
            start_script=f"{_admit(instance.user_data)}\n{SSHD}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gate:
    """Stands in front of moto: notes calls to EC2, refuses some, and tells the cloud of those that went through."""

    cloud: EmulatedCloud
    app: WSGIApplication

    ACTIONS = frozenset({"RunInstances", "StartInstances", "StopInstances", "TerminateInstances"})

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        signature = environ.get("HTTP_AUTHORIZATION", "")
        # What the class itself stands on is there and no more: none of its machines boots, and no fault hits it.
        if environ["REQUEST_METHOD"] != "POST" or "/ec2/" not in signature or THE_PROGRAM in signature:
            return self.app(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        form = urllib.parse.parse_qs(body.decode())
        body += _root_disk_goes(form)
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        action = form.get("Action", [""])[0]
        reply = self.cloud.injector.reply_to(action, zone=backend.zone(form) if action == "RunInstances" else None)
        if reply is not None and not reply.after:
            return self._refuse(action, reply, start_response)
        if action not in self.ACTIONS:
            return self.app(environ, start_response)
        status, headers, answer = self._do(action, form, environ)
        if reply is not None:
            return self._refuse(action, reply, start_response)
        start_response(status, headers)
        return [answer]

    def _do(
        self, action: str, form: dict[str, list[str]], environ: WSGIEnvironment
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        from werkzeug.test import run_wsgi_app

        token = form.get("ClientToken", [""])[0]
        before = self.cloud.answered(token)
        if before is not None:
            return before
        body, status, headers = run_wsgi_app(self.app, environ, buffered=True)
        outcome = status, list(headers), b"".join(body)
        if outcome[0].startswith("200"):
            if token:
                self.cloud._answers[token] = outcome
            self.cloud.heed(action, outcome[2], form)
            if Fault.OUTAGE in self.cloud.injector.faults:
                self.cloud.go_out()
        else:
            self.cloud._note(action, form, error=outcome[0])
        return outcome

    def _refuse(self, action: str, reply: Reply, start_response: StartResponse) -> list[bytes]:
        if action in self.ACTIONS:
            self.cloud._note(action, {}, error=reply.code)
        error = f"<Error><Code>{reply.code}</Code><Message>{reply.message}</Message></Error>"
        body = f"<Response><Errors>{error}</Errors><RequestID>rehearsal</RequestID></Response>".encode()
        start_response(reply.status, [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))])
        return [body]


def _root_disk_goes(form: dict[str, list[str]]) -> bytes:
    """What to add to a call so that a new machine's disks end with it where nothing else is said.

    EC2 takes that from the image, and an image says so of its root disk; moto's say nothing.
    """
    sizes = [key for key in form if key.startswith("BlockDeviceMapping.") and key.endswith(".Ebs.VolumeSize")]
    flags = [key.replace("VolumeSize", "DeleteOnTermination") for key in sizes]
    return "".join(f"&{flag}=true" for flag in flags if flag not in form).encode()


def _admit(user_data: Any) -> str:
    """The shell lines that do what a machine's cloud-init would: let the keys in that its user data names."""
    text = base64.b64decode(str(user_data or "")).decode()
    config = yaml.safe_load(text) if text.startswith("#cloud-config") else None
    if not isinstance(config, dict):
        raise ClusterlabError(f"emulated cloud: user data that it does not know: {text[:80]!r}; known is #cloud-config")
    lines = []
    for user in config.get("users", []):
        if not isinstance(user, dict) or not user.get("ssh_authorized_keys"):
            continue
        home = f"/home/{user['name']}"
        keys = "\n".join(key.strip() for key in user["ssh_authorized_keys"])
        lines.append(f"mkdir -p {home}/.ssh\ncat > {home}/.ssh/authorized_keys <<'END'\n{keys}\nEND")
        lines.append(
            f"chown -R {user['name']}: {home}/.ssh; chmod 700 {home}/.ssh; chmod 600 {home}/.ssh/authorized_keys"
        )
    return "\n".join(lines)


def _quiet_handler(clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Any:
    from werkzeug.serving import WSGIRequestHandler

    class Quiet(WSGIRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(clock().timestamp() if timestamp is None else timestamp)

        def log_request(self, *_: Any) -> None:
            """Say nothing: a rehearsal makes hundreds of calls."""

    return Quiet
