"""Each rule passes a good program, and refuses a bad one with a message that names the resource."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pulumi_aws as aws
import pytest

from clusterlab.lease import LONGEST
from infra.policy.pack import policies
from tests.infra.policy.judged import Violation, judge
from tests.infra.policy.programs import (
    AGREED,
    ENDS,
    TAGS,
    anybody,
    bucket,
    budget,
    channel,
    class_rule,
    firewall,
    good,
    google,
    group,
    ingress_rule,
    instance,
    node_group,
    template,
    until,
    without,
)

BAD: list[tuple[str, str, Callable[[], object], str]] = [
    # rule, resource, what is made beside the good program, what is told of it
    ("cost-tags", "naked", lambda: aws.ec2.Vpc("naked"), r"lacks the tag course"),
    ("cost-tags", "x", lambda: aws.lambda_.Function("x", role="r", tags=without("lab")), r"lacks the tag lab"),
    ("cost-tags", "x", lambda: aws.sns.Topic("x", kms_master_key_id="k", tags=without("lease-until")), r"lease-until"),
    ("cost-tags", "x", lambda: aws.iam.Role("x", assume_role_policy="{}", tags=TAGS | {"lab": "A b"}), r"lab=A b"),
    ("cost-tags", "x", lambda: aws.ecr.Repository("x", tags=TAGS | {"course": "nlp"}), r"another class"),
    ("cost-tags", "x", lambda: template("x", tag_specifications=[]), r"each volume that it makes: lacks"),
    ("cost-tags", "x", lambda: instance("x", volume_tags=None), r"its root disk: lacks the tag course"),
    ("cost-tags", "google", lambda: google(labels=None), r"lacks the tag course"),
    ("cost-tags", "mail", lambda: channel(user_labels=None), r"lacks the tag course"),
    ("lease", "x", lambda: aws.ec2.Vpc("x", tags=TAGS | {"lease-until": "june"}), r"no instant"),
    ("lease", "x", lambda: aws.ec2.Vpc("x", tags=until(ENDS + timedelta(days=2))), r"too late"),
    ("open-ingress", "x", lambda: group("x", from_port=8265, to_port=8265, cidr_blocks=["0.0.0.0/0"]), r"port 8265"),
    ("open-ingress", "x", lambda: group("x", from_port=0, to_port=443, cidr_blocks=["0.0.0.0/0"]), r"ports 0 to 443"),
    ("open-ingress", "x", lambda: group("x", cidr_blocks=["0.0.0.0/0"]), r"SSH from 0\.0\.0\.0/0"),
    ("open-ingress", "x", lambda: group("x", cidr_blocks=["203.0.112.0/23"]), r"SSH from 203\.0\.112\.0/23"),
    (
        "open-ingress",
        "x",
        lambda: group("x", from_port=80, to_port=80, cidr_blocks=["0.0.0.0/1"]),
        r"open to 0\.0\.0\.0/1",
    ),
    ("open-ingress", "x", lambda: group("x", cidr_blocks=None, ipv6_cidr_blocks=["::/0"]), r"SSH from ::/0"),
    ("open-ingress", "x", lambda: group("x", cidr_blocks=None, prefix_list_ids=["pl-1"]), r"prefix list"),
    ("open-ingress", "https", lambda: ingress_rule(from_port=80, to_port=80), r"port 80: open to 0\.0\.0\.0/0"),
    ("open-ingress", "https", lambda: ingress_rule(cidr_ipv4=None, cidr_ipv6="::/0", ip_protocol="-1"), r"::/0"),
    ("open-ingress", "inside", lambda: class_rule(self=None, cidr_blocks=["0.0.0.0/0"]), r"ports 0 to 65535"),
    ("open-ingress", "google-ssh", lambda: firewall(source_ranges=None), r"SSH from 0\.0\.0\.0/0"),
    (
        "open-ingress",
        "google-ssh",
        lambda: firewall(allows=[{"protocol": "all"}], source_ranges=["::/0"]),
        r"ports 0 to 65535",
    ),
    ("encryption", "x", lambda: aws.ebs.Volume("x", availability_zone="a", tags=TAGS), r"encrypted=true"),
    ("encryption", "x", lambda: aws.efs.FileSystem("x", tags=TAGS), r"encrypted=true"),
    ("encryption", "x", lambda: aws.rds.Instance("x", instance_class="a", tags=TAGS), r"storageEncrypted=true"),
    ("encryption", "x", lambda: aws.sqs.Queue("x", tags=TAGS), r"kmsMasterKeyId or sqsManagedSseEnabled"),
    ("encryption", "x", lambda: aws.sns.Topic("x", tags=TAGS), r"kmsMasterKeyId"),
    ("encryption", "x", lambda: instance("x", root_block_device={"volume_size": 8}), r"its disk / is not encrypted"),
    ("encryption", "x", lambda: instance("x", ebs_block_devices=[{"device_name": "/dev/b"}]), r"its disk /dev/b"),
    ("encryption", "x", lambda: template("x", block_device_mappings=None), r"its disk is the image's"),
    ("encryption", "x", lambda: template("x", block_device_mappings=[{"device_name": "/d", "ebs": {}}]), r"disk /d is"),
    ("bucket-encryption", "naked", lambda: aws.s3.Bucket("naked", bucket="b", tags=TAGS), r"not encrypted"),
    ("public-buckets", "naked", lambda: aws.s3.Bucket("naked", bucket="b", tags=TAGS), r"not shut out"),
    ("public-buckets", "x", lambda: bucket("x", acl="public-read"), r"acl=public-read"),
    ("public-buckets", "x", lambda: aws.s3.BucketPublicAccessBlock("x", bucket="b"), r"blockPublicAcls is not true"),
    ("public-buckets", "x", lambda: aws.s3.BucketPolicy("x", bucket="b", policy=anybody()), r"'All' allows everybody"),
    (
        "public-buckets",
        "x",
        lambda: aws.s3.BucketPolicy("x", bucket="b", policy=anybody(Principal={"AWS": ["*"]})),
        r"All",
    ),
    ("public-buckets", "google", lambda: google(public_access_prevention=None), r"publicAccessPrevention=enforced"),
    ("public-buckets", "google", lambda: google(uniform_bucket_level_access=None), r"uniformBucketLevelAccess=true"),
    ("imds-v2", "x", lambda: instance("x", metadata_options=None), r"httpTokens=required"),
    ("imds-v2", "x", lambda: template("x", metadata_options={"http_tokens": "optional"}), r"httpTokens=required"),
    ("imds-v2", "x", lambda: node_group("x", launch_template=False), r"no launch template"),
    ("price", "x", lambda: instance("x", instance_type="p5.48xlarge"), r"p5\.48xlarge costs 55\.04 USD an hour"),
    ("price", "x", lambda: instance("x", instance_type="m9.huge"), r"price of m9\.huge in us-east-1 is unknown"),
    ("price", "x", lambda: instance("x", availability_zone="eu-west-1a"), r"m5\.large in eu-west-1 is unknown"),
    ("price", "x", lambda: template("x", instance_type="p4d.24xlarge"), r"p4d\.24xlarge costs"),
    ("price", "x", lambda: node_group("x", instance_types=["g6.xlarge", "p5.48xlarge"]), r"p5\.48xlarge costs"),
    ("price", "x", lambda: node_group("x", instance_types=None), r"price of an unknown type"),
    ("price", "x", lambda: aws.autoscaling.Group("x", max_size=1, min_size=0, tags=[]), r"its price is unknown"),
]


def one(found: list[Violation], rule: str, name: str) -> list[Violation]:
    """The complaints of a rule, each of which names a resource of that name."""
    complaints = [each for each in found if each.policy == rule]
    assert all(f" {name}: " in each.message for each in complaints)
    return complaints


def test_good_program_passes_every_rule() -> None:
    assert judge(good, AGREED) == []


@pytest.mark.parametrize(
    ("rule", "name", "make", "told"), BAD, ids=[f"{rule}-{number}" for number, (rule, *_) in enumerate(BAD)]
)
def test_bad_program_is_refused_by_the_name_of_its_resource(
    rule: str, name: str, make: Callable[[], object], told: str
) -> None:
    def program() -> None:
        budget()
        make()

    found = one(judge(program, AGREED), rule, name)
    assert found
    assert all(each.mandatory for each in found)
    assert any(re.search(told, each.message) for each in found)


def test_lease_is_never_longer_than_a_year() -> None:
    later = datetime.now(UTC) + LONGEST + timedelta(days=1)
    agreed = AGREED | {"lease": {"latest": (later + timedelta(days=9)).isoformat()}}

    def program() -> None:
        aws.ec2.Vpc("forever", tags=until(later))

    (found,) = judge(program, agreed)
    assert found.policy == "lease"
    assert "forever" in found.message


def test_stack_that_costs_something_needs_a_budget() -> None:
    (found,) = judge(lambda: instance("server"), AGREED)
    assert found.policy == "budget"
    assert "aws:ec2/instance:Instance server: costs money, and the stack has no aws:budgets/budget" in found.message


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: budget("2501"), "its limit is 2501 USD; allowed: the class's, 2500"),
        (lambda: budget(limit_unit="EUR"), "its limit is unknown USD"),
    ],
    ids=["another", "of another currency"],
)
def test_budget_is_the_class_s(make: Callable[[], object], told: str) -> None:
    (found,) = judge(make, AGREED)
    assert found.policy == "budget"
    assert told in found.message


def test_budget_of_one_cloud_is_none_of_the_other() -> None:
    def program() -> None:
        google()
        instance("server")

    (found,) = judge(program, AGREED)
    assert (found.policy, "instance:Instance server" in found.message) == ("budget", True)


def test_stack_s_machines_together_keep_to_the_cap() -> None:
    def program() -> None:
        budget()
        instance("server")
        node_group("gpus", desired=2)

    (found,) = judge(program, AGREED)
    assert found.policy == "stack-price"
    assert "1.7056 USD an hour together (server 1 x m5.large, gpus 2 x g6.xlarge)" in found.message


def test_encryption_of_one_bucket_is_not_another_s() -> None:
    def program() -> None:
        budget()
        bucket("runs")
        aws.s3.Bucket("naked", bucket="naked", tags=TAGS)

    assert {(each.policy, each.urn.rpartition("::")[2]) for each in judge(program, AGREED)} == {
        ("bucket-encryption", "naked"),
        ("public-buckets", "naked"),
    }


def test_class_that_has_agreed_to_nothing_makes_nothing() -> None:
    refused = {each.policy for each in judge(good, {})}
    assert refused == {"cost-tags", "lease", "open-ingress", "price", "budget"}


def test_every_rule_is_proven_to_fail() -> None:
    proven = {rule for rule, *_ in BAD} | {"budget", "stack-price"}
    assert {policy.name for policy in policies()} == proven
    assert all(policy.description for policy in policies())
