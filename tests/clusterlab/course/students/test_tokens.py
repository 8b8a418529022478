"""Students' tokens for the course server: asked for once, never lost, and never two."""

from __future__ import annotations

import json

import boto3
import pytest
from moto import mock_aws

from clusterlab.errors import ClusterlabError, UnreachableError
from clusterlab.reaper.cloud import Cloud
from tests.clusterlab.course.students.fake_skypilot import PASSWORD, FakeSkyPilot
from tests.clusterlab.course.students.house import House, Papers, shared


@pytest.fixture
def served(house: House, skypilot: FakeSkyPilot) -> House:
    house.outputs, house.cloud = shared(skypilot.endpoint), Papers()
    return house


def token(house: House, student: str) -> str:
    return (house.folder / student / "token").read_text()


def test_each_student_has_the_token_of_his_name(served: House, skypilot: FakeSkyPilot) -> None:
    told = served.bring_up()
    assert "tokens: token for ana, ben, cleo; certificate for ana, ben, cleo" in told
    assert token(served, "ana") == f"{skypilot.tokens['ana']['token']}\n"
    assert sorted(skypilot.changes) == ["create ana", "create ben", "create cleo"]
    assert (served.folder / "ana" / "token").stat().st_mode & 0o777 == 0o600
    assert (served.folder / "ana" / "course.pem").read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert PASSWORD not in told


def test_token_that_somebody_else_made_is_left_and_told(served: House, skypilot: FakeSkyPilot) -> None:
    mine = skypilot.make("ben", 100)["token"]
    told = served.bring_up()
    assert "tokens: token for ana, cleo" in told
    assert "tokens: ben has a token that was not made here, and keeps it" in told
    assert not (served.folder / "ben" / "token").exists()
    assert skypilot.tokens["ben"]["token"] == mine


def test_token_that_expired_is_rotated(served: House, skypilot: FakeSkyPilot) -> None:
    served.bring_up()
    skypilot.make("ana", 1, expires_at=1.0)
    served.bring_up()
    assert skypilot.changes[-1] == "rotate ana"
    assert token(served, "ana") == f"{skypilot.tokens['ana']['token']}\n"


def test_token_that_is_gone_is_made_again(served: House, skypilot: FakeSkyPilot) -> None:
    served.bring_up()
    del skypilot.tokens["cleo"]
    assert "tokens: token for cleo" in served.bring_up()
    assert token(served, "cleo") == f"{skypilot.tokens['cleo']['token']}\n"


def test_who_has_gone_and_has_a_token_is_told(served: House) -> None:
    served.bring_up()
    served.students = ("ben", "cleo")
    assert "tokens: ana has gone and still has a token" in served.bring_up()


def test_server_that_makes_itself_is_waited_for(served: House, skypilot: FakeSkyPilot) -> None:
    """First there is no password, then the server is not well, and then it is."""
    served.cloud.secret = None
    skypilot.status = "starting"

    class Naps(list[float]):
        def append(self, seconds: float) -> None:
            if len(self) == 2:
                served.cloud.secret = f"ADMIN_PASSWORD={PASSWORD}\n"
            if len(self) == 4:
                skypilot.status = "needs_auth"
            super().append(seconds)

    served.naps = Naps()
    told = served.bring_up()
    assert told.count("tokens: waiting for the course server") == 1
    assert len(served.naps) == 5
    assert sorted(skypilot.tokens) == ["ana", "ben", "cleo"]


def test_server_that_never_comes_leaves_all_else_done(served: House, skypilot: FakeSkyPilot) -> None:
    skypilot.status = "starting"
    with pytest.raises(UnreachableError, match=r"not well after 15 minutes; the same command goes on from here"):
        served.bring_up()
    assert sum(served.naps) == 900
    assert json.loads((served.folder / "up.json").read_text())["done"] == ["stack", "skypilot", "budget", "students"]
    skypilot.status = "healthy"
    assert "tokens: token for ana" in served.bring_up()


def test_refusal_is_one_clear_error_without_the_password(served: House) -> None:
    served.cloud.secret = "ADMIN_PASSWORD=beef\n"
    with pytest.raises(ClusterlabError, match=r"/users/service-account-tokens: 401 Authentication required$") as error:
        served.bring_up()
    assert "beef" not in str(error.value)


def test_password_goes_to_no_server_in_the_clear(served: House) -> None:
    served.outputs["aws_server_endpoint"] = "http://198.51.100.7"
    with pytest.raises(ClusterlabError, match=r"http://198.51.100.7: not encrypted"):
        served.bring_up()


@mock_aws
def test_secret_and_certificate_are_aws_s(served: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    bucket = "clusterlab-llm-2026-123456789012"
    secrets, s3 = (boto3.client(each, region_name="us-east-1") for each in ("secretsmanager", "s3"))
    made = secrets.create_secret(Name="clusterlab-llm-2026-server")
    s3.create_bucket(Bucket=bucket)
    served.outputs["aws_server_secret"] = made["ARN"]
    served.cloud = Cloud(session=boto3.session.Session(region_name="us-east-1"))
    with pytest.raises(UnreachableError, match=r"not well after"):
        served.bring_up()
    secrets.put_secret_value(SecretId=made["ARN"], SecretString=f"ADMIN_PASSWORD={PASSWORD}\n")
    with pytest.raises(UnreachableError, match=r"not well after"):
        served.bring_up()
    s3.put_object(Bucket=bucket, Key="server/certificate.pem", Body=b"-----BEGIN CERTIFICATE-----\n")
    assert "tokens: token for ana" in served.bring_up()
