"""What a registry says of an image: a real one where it behaves, a fake where it must not."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from clusterlab.errors import UnreachableError
from clusterlab.images.registry import MAX_MANIFEST_BYTES, RefusedError, Registry, is_safe
from tests.clusterlab.images.conftest import DIGEST, Answer, Fake, require_registry
from tests.registry import Server, digest_of, registry

PATH = "/v2/org/image/manifests/1.0"
MANIFEST = b'{"schemaVersion": 2}'


def test_a_tag_gives_the_digest_of_the_index_of_all_platforms(real: Server) -> None:
    pushed = real.push("nvidia/cuda", "13.0", content="one")
    assert Registry(url=real.url).digest("nvidia/cuda", "13.0") == pushed


def test_a_digest_gives_itself(real: Server) -> None:
    pushed = real.push("hf/tgi", "any", content="two")
    assert Registry(url=real.url).digest("hf/tgi", pushed) == pushed


@pytest.mark.parametrize(("path", "reference"), [("org/none", "1.0"), ("org/image", "2.0"), ("org/image", DIGEST)])
def test_what_is_not_there_is_refused(real: Server, path: str, reference: str) -> None:
    real.push("org/image", "1.0", content="three")
    with pytest.raises(RefusedError, match=r"has no such image \(404\)"):
        Registry(url=real.url).digest(path, reference)


def test_the_token_that_a_challenge_leads_to_is_shown(tmp_path: Path, fake: Fake) -> None:
    require_registry()
    fake.answers["/token"] = Answer(body=b'{"token": "for anybody"}')
    with registry(tmp_path, auth={"silly": {"realm": f"{fake.url}/token", "service": "the registry"}}) as server:
        pushed = server.push("nvidia/cuda", "13.0", content="one")
        assert Registry(url=server.url).digest("nvidia/cuda", "13.0") == pushed
    assert fake.asked == [("/token?service=the+registry&scope=repository%3Anvidia%2Fcuda%3Apull", None)]


def test_a_registry_that_wants_a_password_is_refused(tmp_path: Path) -> None:
    require_registry()
    (tmp_path / "users").touch()
    auth = {"htpasswd": {"realm": "course", "path": str(tmp_path / "users")}}
    with registry(tmp_path, auth=auth) as server, pytest.raises(RefusedError, match=r"wants a password"):
        Registry(url=server.url).digest("nvidia/cuda", "13.0")


def test_a_token_of_the_other_name_is_taken_and_may_not_be_enough(fake: Fake) -> None:
    fake.answers["/token"] = Answer(body=b'{"access_token": "t"}')
    fake.answers[PATH] = Answer(status=401, headers=challenge(f"{fake.url}/token"))
    with pytest.raises(RefusedError, match=r"wants a password: .* \(401\)"):
        Registry(url=fake.url).digest("org/image", "1.0")
    assert [authorization for _, authorization in fake.asked] == [None, None, "Bearer t"]


def test_where_the_registry_redirects_to_is_shown_no_token(fake: Fake) -> None:
    first, second = "/v2/org/image/manifests/1.0", "/elsewhere"
    fake.answers.update({"/token": Answer(body=b'{"token": "t"}'), second: Answer(body=MANIFEST)})
    fake.answers[first] = Answer(status=401, headers=challenge(f"{fake.url}/token"))
    fake.turns[first] = Answer(status=307, headers={"Location": f"{fake.url}{second}"})
    assert Registry(url=fake.url).digest("org/image", "1.0") == digest_of(MANIFEST)
    assert fake.asked[-2:] == [(first, "Bearer t"), (second, None)]


@pytest.mark.parametrize(
    ("token", "error", "message"),
    [
        (Answer(status=403), RefusedError, r"refuses it: .* \(403\)"),
        (Answer(status=503), UnreachableError, r"answers 503"),
        (Answer(body=b"<html>"), UnreachableError, r"answers without a token"),
        (Answer(body=b"{}"), UnreachableError, r"answers without a token"),
        (Answer(body=b"[]"), UnreachableError, r"answers without a token"),
    ],
)
def test_no_token_is_no_digest(fake: Fake, token: Answer, error: type[Exception], message: str) -> None:
    fake.answers.update({"/token": token, PATH: Answer(status=401, headers=challenge(f"{fake.url}/token"))})
    with pytest.raises(error, match=message):
        Registry(url=fake.url).digest("org/image", "1.0")


@pytest.mark.parametrize("realm", ["http://registry.test/token", "file:///etc/passwd", ""])
def test_a_token_is_asked_for_in_no_unsafe_place(fake: Fake, realm: str) -> None:
    fake.answers[PATH] = Answer(status=401, headers=challenge(realm))
    with pytest.raises(RefusedError, match=r"wants a password"):
        Registry(url=fake.url).digest("org/image", "1.0")


def test_a_manifest_that_is_not_what_its_header_says_is_refused(fake: Fake) -> None:
    fake.answers[PATH] = Answer(body=MANIFEST, headers={"Docker-Content-Digest": DIGEST})
    with pytest.raises(RefusedError, match=rf"promises {DIGEST} and sends {digest_of(MANIFEST)}"):
        Registry(url=fake.url).digest("org/image", "1.0")


def test_a_manifest_that_is_not_of_the_digest_asked_for_is_refused(fake: Fake) -> None:
    fake.answers[f"/v2/org/image/manifests/{DIGEST}"] = Answer(body=MANIFEST)
    with pytest.raises(RefusedError, match=rf"promises {DIGEST} and sends {digest_of(MANIFEST)}"):
        Registry(url=fake.url).digest("org/image", DIGEST)


def test_a_registry_need_not_send_the_header(fake: Fake) -> None:
    fake.answers[PATH] = Answer(body=MANIFEST)
    assert Registry(url=fake.url).digest("org/image", "1.0") == digest_of(MANIFEST)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (Answer(status=403), RefusedError, r"refuses it: .* \(403\)"),
        (Answer(status=429), UnreachableError, r"answers 429 Too Many Requests"),
        (Answer(status=500), UnreachableError, r"answers 500"),
        (Answer(body=b" " * (MAX_MANIFEST_BYTES + 1)), RefusedError, r"more than 4194304 bytes"),
    ],
)
def test_any_other_answer_is_no_digest(fake: Fake, answer: Answer, error: type[Exception], message: str) -> None:
    fake.answers[PATH] = answer
    with pytest.raises(error, match=message):
        Registry(url=fake.url).digest("org/image", "1.0")


def test_nobody_who_answers_is_unreachable() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UnreachableError, match=r"does not answer: TimeoutError"):
            Registry(url=url, timeout_seconds=0.1).digest("org/image", "1.0")
    with pytest.raises(UnreachableError, match=r"does not answer: ConnectionRefusedError"):
        Registry(url=url).digest("org/image", "1.0")


def test_the_registry_of_docker_io_has_another_host_and_names_of_one_word_in_a_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    assert Registry.of("ghcr.io").url == "https://ghcr.io"

    def get(_: Registry, request: object) -> tuple[bytes, dict[str, str]]:
        asked.append(getattr(request, "full_url", ""))
        return MANIFEST, {}

    monkeypatch.setattr(Registry, "_get", get)
    Registry.of("docker.io").digest("ubuntu", "24.04")
    Registry.of("docker.io").digest("nvidia/cuda", "13.0")
    Registry.of("quay.io").digest("ubuntu", "24.04")
    assert asked == [
        "https://registry-1.docker.io/v2/library/ubuntu/manifests/24.04",
        "https://registry-1.docker.io/v2/nvidia/cuda/manifests/13.0",
        "https://quay.io/v2/ubuntu/manifests/24.04",
    ]


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://ghcr.io", True),
        ("http://127.0.0.1:5000", True),
        ("http://ghcr.io", False),
        ("ftp://127.0.0.1", False),
        ("ghcr.io", False),
    ],
)
def test_only_https_and_the_loopback_are_safe(url: str, safe: bool) -> None:
    assert is_safe(url) is safe


def challenge(realm: str) -> dict[str, str]:
    return {"WWW-Authenticate": f'Bearer realm="{realm}",service="s",scope="repository:org/image:pull"'}
