from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from clusterlab.errors import ClusterlabError, InputError
from clusterlab.reaper import function
from tests.clusterlab.conftest import ROOT
from tests.clusterlab.reaper.conftest import HERE, THERE, Account

BUCKET = "clusterlab-papers"


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 61_000


@pytest.fixture
def s3(account: Account, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The papers of a Lambda, in a bucket; it sees the account through the test's own cloud."""
    s3 = account.cloud.session.client("s3", HERE)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="keep.json", Body=b'{"keep": "nothing"}')
    monkeypatch.setattr(function, "Cloud", lambda: account.cloud)
    monkeypatch.setenv(function.COURSES, "llm-2026, nlp-2026")
    for name in ("KEEP", "STATE", "PROOF"):
        monkeypatch.setenv(f"CLUSTERLAB_REAPER_{name}", f"s3://{BUCKET}/{name.lower()}.json")
    monkeypatch.setenv(function.YES, "1")
    return s3


def rewind(s3: Any, minutes: int) -> None:
    """As if the scan before had been so much earlier."""
    from datetime import datetime, timedelta

    document = json.loads(s3.get_object(Bucket=BUCKET, Key="state.json")["Body"].read())
    for sighting in document["sightings"].values():
        for name, text in sighting.items():
            then = datetime.fromisoformat(text) - timedelta(minutes=minutes) if text else None
            sighting[name] = then.isoformat() if then else None
    s3.put_object(Bucket=BUCKET, Key="state.json", Body=json.dumps(document).encode())


def test_the_lambda_reaps_and_its_papers_lie_in_s3(account: Account, s3: Any) -> None:
    (machine,) = account.launch()
    assert function.handler({}, Context())["num_left"] == 2
    rewind(s3, 10)
    function.handler({}, Context())
    assert account.state(machine) == "stopped"
    rewind(s3, 24 * 60)
    assert function.handler({}, Context()) == {"proven": True, "num_left": 0, "account": "123456789012"}
    assert account.state(machine) == "terminated"
    assert json.loads(s3.get_object(Bucket=BUCKET, Key="proof.json")["Body"].read())["proven"] is True


def test_a_region_that_could_not_be_looked_at_sets_off_the_alarm(account: Account, s3: Any) -> None:
    account.answer("ec2", "DescribeVolumes", "UnauthorizedOperation", region=THERE)
    with pytest.raises(ClusterlabError, match=rf"{THERE}: ec2: volumes: UnauthorizedOperation: no"):
        function.handler({}, Context())
    assert json.loads(s3.get_object(Bucket=BUCKET, Key="proof.json")["Body"].read())["proven"] is False


def test_without_the_word_it_only_looks(account: Account, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(function.YES)
    account.launch()
    assert function.handler({}, None)["num_left"] == 2
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["keep.json", "proof.json"]


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (function.STATE, "", r"CLUSTERLAB_REAPER_STATE: not set; docs/reaper\.md has the settings"),
        (function.GRACE, "long", r"CLUSTERLAB_REAPER_GRACE_HOURS: 'long'; allowed: a number, such as 24"),
        (function.KEEP, f"s3://{BUCKET}/none.json", r"none\.json: not there; allowed: "),
        (function.KEEP, "s3://no-such-bucket/keep.json", r"keep\.json: cannot be read: NoSuchBucket"),
    ],
)
def test_a_wrong_setting_is_an_error(name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=message):
        function.handler({}, None)


def test_the_lambda_needs_the_standard_library_and_boto3_only() -> None:
    allowed = {"clusterlab", "boto3", "botocore", "s3transfer", "dateutil", "six", "jmespath", "urllib3", "certifi"}
    script = "import sys, clusterlab.reaper.function; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path += {sys.path!r}; {script}"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = {name for name in done.stdout.split() if name not in sys.stdlib_module_names and not name.startswith("_")}
    assert "boto3" in loaded
    assert loaded - allowed == set()
