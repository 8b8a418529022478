"""The two addresses of the internet that SkyPilot asks whether there is one, answered inside the rehearsal.

SkyPilot refuses to watch over a job while neither https://8.8.8.8 nor https://1.1.1.1 answers. A rehearsal's network
namespace has no way out, so both addresses are given to its own loopback, with a certificate that only the rehearsal's
processes trust.
"""

from __future__ import annotations

import ipaddress
import ssl
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ADDRESSES = ("8.8.8.8", "1.1.1.1")
"""As sky/backends/backend_utils.py of SkyPilot 0.14.1 has them."""


def start(folder: Path) -> Path:
    """Answer at `ADDRESSES`, in the network namespace that this process is in.

    Returns:
        The certificate that a client must trust, for `SSL_CERT_FILE` and `REQUESTS_CA_BUNDLE`.
    """
    certificate = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    for address in ADDRESSES:
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
        server = ThreadingHTTPServer((address, 443), _Here)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    return certificate


class _Here(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        """Say that one is there."""
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _certificate(folder: Path) -> Path:
    """A certificate of its own with its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "clusterlab rehearsal")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address)) for address in ADDRESSES])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "internet.pem"
    path.touch(mode=0o600)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
