from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boto3
import pulumi
import pytest
from moto.server import ThreadedMotoServer

from clusterlab.errors import InputError
from clusterlab.lease import LEASE_VARIABLE
from clusterlab.reaper import function
from clusterlab.reaper.resource import Kind
from infra.aws.reaper import Reaper, ReaperArgs
from infra.aws.statements_service import Reaped, reaper
from tests.clusterlab.reaper.conftest import HERE, Account, account, session
from tests.clusterlab.reaper.test_kinds import litter
from tests.infra.conftest import NAMING
from tests.infra.graph import ACCOUNT, Graph, run
from tests.infra.iam.roles import BUCKET, KEY, REAPED

__all__ = ["account", "session"]

BUCKET_NAME = "clusterlab-llm-2026"
ARGS = ReaperArgs(
    naming=NAMING,
    courses=("llm-2026",),
    regions=("us-east-1", "us-west-2"),
    bucket_name=BUCKET_NAME,
    bucket_arn=BUCKET,
    key_arn=KEY,
    emails=("prof@example.edu", "ta@example.edu"),
    schedule_minutes=15,
    granted_hours=8,
    keep={"fs-0abc": "the data sets of the class"},
)
LIBRARIES = ("boto3", "botocore", "s3transfer", "dateutil", "six", "jmespath", "urllib3")
ONE_REGION = """
import sys
sys.path[:0] = sys.argv[1:]
from clusterlab.reaper import cloud, function
# moto has 38, and asking all of them takes a minute.
cloud.Cloud.regions = lambda self, wanted=(): ("us-east-1",)
print(function.handler({}, None))
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
SPELLED = {
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
}
"""Calls that IAM has another name for."""
UNASKED = {"sts:GetCallerIdentity"}
"""What IAM asks nobody about."""
UNSEEN = {
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "s3:ListBucket",
    "sqs:SendMessage",
}
"""What S3 and Lambda do for it; and that S3 says of a paper that it is not there."""
SERVICES = {"efs": "elasticfilesystem", "elb": "elasticloadbalancing", "elbv2": "elasticloadbalancing"}


def made(**more: Any) -> Graph:
    args = replace(ARGS, **more)
    return run(lambda: Reaper("reaper", args))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return made()


def test_the_function_knows_all_that_the_handler_asks_for(graph: Graph) -> None:
    variables = graph.one("aws:lambda/function:Function").inputs["environment"]["variables"]
    assert variables == {
        function.COURSES: "llm-2026",
        function.KEEP: f"s3://{BUCKET_NAME}/reaper/keep.json",
        function.STATE: f"s3://{BUCKET_NAME}/reaper/state.json",
        function.PROOF: f"s3://{BUCKET_NAME}/reaper/proof.json",
        function.YES: "1",
        LEASE_VARIABLE: "8",
    }


def test_one_runs_at_a_time_as_long_as_it_may_with_a_place_for_what_fails(graph: Graph) -> None:
    inputs = graph.one("aws:lambda/function:Function").inputs
    assert (inputs["reservedConcurrentExecutions"], inputs["timeout"]) == (1, 900)
    assert inputs["deadLetterConfig"] == {"targetArn": "${Queue.reaper-failed.arn}"}
    assert inputs["handler"] == "clusterlab.reaper.function.handler"


def test_it_runs_by_the_clock_and_nobody_else_may_start_it(graph: Graph) -> None:
    rule = graph.one("aws:cloudwatch/eventRule:EventRule").inputs
    assert rule["scheduleExpression"] == "rate(15 minutes)"
    permission = graph.one("aws:lambda/permission:Permission").inputs
    assert permission["principal"] == "events.amazonaws.com"
    assert permission["sourceArn"] == "${EventRule.reaper-clock.arn}"


def test_one_minute_is_a_minute() -> None:
    rule = made(schedule_minutes=1).one("aws:cloudwatch/eventRule:EventRule")
    assert rule.inputs["scheduleExpression"] == "rate(1 minute)"


def test_instructors_hear_where_it_fails_and_where_it_does_not_run(graph: Graph) -> None:
    alarms = {each.inputs["metricName"]: each.inputs for each in graph.of("aws:cloudwatch/metricAlarm:MetricAlarm")}
    silent, errors = alarms["Invocations"], alarms["Errors"]
    keys = ("comparisonOperator", "threshold", "treatMissingData")
    assert [silent[key] for key in keys] == ["LessThanThreshold", 1, "breaching"]
    assert [errors[key] for key in keys] == ["GreaterThanOrEqualToThreshold", 1, "notBreaching"]
    assert (silent["period"], errors["period"]) == (1800, 900)
    for each in alarms.values():
        assert each["alarmActions"] == ["${Topic.reaper-alarms.arn}"]
        assert each["dimensions"] == {"FunctionName": graph.one("aws:lambda/function:Function").inputs["name"]}
    told = [each.inputs["endpoint"] for each in graph.of("aws:sns/topicSubscription:TopicSubscription")]
    assert sorted(told) == sorted(ARGS.emails)


def test_its_role_may_do_what_iam_was_asked_about(graph: Graph) -> None:
    known = Reaped(
        account=ACCOUNT,
        courses=("llm-2026",),
        regions=ARGS.regions,
        bucket=BUCKET,
        key=KEY,
        queue="${Queue.reaper-failed.arn}",
        log_group="${LogGroup.reaper-log.arn}",
    )
    assert json.loads(graph.one("aws:iam/rolePolicy:RolePolicy").inputs["policy"]) == reaper(known)


def test_nothing_runs_before_it_may_and_before_it_knows_what_is_kept(graph: Graph) -> None:
    needs = " ".join(graph.one("aws:lambda/function:Function").needs)
    assert all(kind in needs for kind in ("RolePolicy", "BucketObjectv2", "LogGroup"))


def test_the_log_ends(graph: Graph) -> None:
    log, lambda_ = graph.one("aws:cloudwatch/logGroup:LogGroup"), graph.one("aws:lambda/function:Function")
    assert log.inputs["name"] == f"/aws/lambda/{lambda_.inputs['name']}"
    assert log.inputs["retentionInDays"] == 90


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"keep": {}}, r"reaper\.keep: keep: empty; allowed: "),
        ({"keep": {"fs-0abc": " "}}, r"reaper\.keep: keep\.fs-0abc: must have a name, and say why"),
        ({"keep": "everything"}, r"reaper\.keep: keep: not of this form"),
        ({"emails": ()}, r"reaper: emails: nobody"),
        ({"schedule_minutes": 0}, r"reaper: schedule_minutes: 0; allowed: 1 to 720"),
    ],
)
def test_a_reaper_that_keeps_nothing_unsaid_or_that_nobody_hears_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(ARGS, **more)


def test_who_wants_to_keep_nothing_says_so() -> None:
    assert json.loads(replace(ARGS, keep="nothing").keep_list()) == {"keep": "nothing"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An account that another process reaches, with the class's bucket in it."""
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    _, port = running.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    running.stop()


def test_the_archive_alone_reaps_with_no_library_but_boto3(graph: Graph, server: str, tmp_path: Path) -> None:
    inputs = graph.one("aws:lambda/function:Function").inputs
    unpack(inputs["code"], tmp_path / "code")
    s3 = boto3.client("s3", HERE, endpoint_url=server, aws_access_key_id="test", aws_secret_access_key="test")
    s3.create_bucket(Bucket=BUCKET_NAME)
    kept = graph.one("aws:s3/bucketObjectv2:BucketObjectv2").inputs
    s3.put_object(Bucket=kept["bucket"], Key=kept["key"], Body=kept["content"].encode())
    environment = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "test")
    environment |= {"AWS_ENDPOINT_URL": server, "AWS_REGION": HERE, "AWS_DEFAULT_REGION": HERE}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", ONE_REGION, str(tmp_path / "code"), str(libraries(tmp_path / "libraries"))],
        env=environment | inputs["environment"]["variables"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answer, loaded = done.stdout.splitlines()
    assert answer == "{'proven': True, 'num_left': 0, 'account': '123456789012'}"
    foreign = {name for name in loaded.split() if name not in sys.stdlib_module_names and not name.startswith("_")}
    assert foreign == {"clusterlab", *LIBRARIES}
    proof = json.loads(s3.get_object(Bucket=BUCKET_NAME, Key="reaper/proof.json")["Body"].read())
    assert proof["keep_list_unused"] == ["fs-0abc"]


def unpack(code: Any, folder: Path) -> None:
    assert isinstance(code, pulumi.AssetArchive)
    for name, asset in code.assets.items():
        assert isinstance(asset, pulumi.StringAsset)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(asset.text)


def libraries(folder: Path) -> Path:
    """What a Lambda has beside the standard library."""
    folder.mkdir()
    for name in LIBRARIES:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        file = Path(spec.origin)
        real = file.parent if file.name == "__init__.py" else file
        (folder / real.name).symlink_to(real)
    return folder


def test_its_role_may_call_what_the_code_calls_and_nothing_more(account: Account) -> None:
    called: set[str] = set()
    for service in ("ec2", "efs", "elb", "elbv2", "s3", "sts"):
        events = account.cloud.client(service, HERE).meta.events
        events.register(f"before-call.{service}", lambda model, **_: called.add(spelled(model)))
    found = litter(account, account.tags(), "ours")
    pair = [{"GroupId": found["another group"]}]
    account.ec2().authorize_security_group_egress(
        GroupId=found[Kind.SECURITY_GROUP],
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": pair}],
    )
    # That was to make them; what counts is what the reaper does.
    called.clear()
    papers = {name: f"s3://ours/reaper/{name}.json" for name in ("keep", "state", "proof")}
    account.cloud.session.client("s3", HERE).put_object(
        Bucket="ours", Key="reaper/keep.json", Body=b'{"keep": "nothing"}'
    )
    account.later(hours=13)  # An upload has no lease of its own.
    account.reap_to_the_end(**papers)
    granted = {action for each in reaper(REAPED)["Statement"] for action in each["Action"]}
    assert granted == (called - UNASKED) | UNSEEN


def spelled(model: Any) -> str:
    """A call as IAM names it."""
    service = model.service_model.service_name
    call = f"{SERVICES.get(service, service)}:{model.name}"
    return SPELLED.get(call, re.sub(r"V2$", "", call))
