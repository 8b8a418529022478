from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from infra.emulated.shape import shaped


def convert(service: str, operation: str, value: Any) -> tuple[Any, list[str]]:
    problems: list[str] = []
    model = botocore.session.get_session().get_service_model(service)
    return shaped(model.operation_model(operation).input_shape, value, operation, problems), problems


def test_names_numbers_texts_and_truths_get_the_interface_s_form() -> None:
    given = {"queueName": "q", "attributes": {"VisibilityTimeout": 30.0, "SqsManagedSseEnabled": True}}
    assert convert("sqs", "CreateQueue", given) == (
        {"QueueName": "q", "Attributes": {"VisibilityTimeout": "30", "SqsManagedSseEnabled": "true"}},
        [],
    )
    disk = {"ebs": {"volumeSize": "50", "encrypted": "true"}}
    shaped_disk = {"Ebs": {"VolumeSize": 50, "Encrypted": True}}
    given = {"launchTemplateName": "t", "launchTemplateData": {"blockDeviceMappings": [disk]}}
    data = {"BlockDeviceMappings": [shaped_disk]}
    assert convert("ec2", "CreateLaunchTemplate", given) == (
        {"LaunchTemplateName": "t", "LaunchTemplateData": data},
        [],
    )


@pytest.mark.parametrize(
    ("service", "operation", "key", "tag"),
    [
        ("iam", "CreateRole", "Tags", {"Key": "course", "Value": "x"}),
        ("ecr", "CreateRepository", "tags", {"Key": "course", "Value": "x"}),
        ("kms", "CreateKey", "Tags", {"TagKey": "course", "TagValue": "x"}),
    ],
)
def test_tags_are_a_list_as_each_service_has_it(service: str, operation: str, key: str, tag: dict[str, str]) -> None:
    assert convert(service, operation, {"tags": {"course": "x"}}) == ({key: [tag]}, [])


def test_a_list_of_one_stands_for_a_structure_and_one_of_two_is_refused() -> None:
    scan = {"scanOnPush": True}
    good = convert("ecr", "CreateRepository", {"imageScanningConfiguration": [scan]})
    assert good == ({"imageScanningConfiguration": scan}, [])
    _, problems = convert("ecr", "CreateRepository", {"imageScanningConfiguration": [scan, scan]})
    assert problems == ["CreateRepository.imageScanningConfiguration: 2 given; allowed: one"]


def test_every_fault_is_told_with_its_place() -> None:
    given = {"cidrBlok": "10.0.0.0/16", "instanceTenancy": "shared", "ipv4NetmaskLength": "many", "dryRun": "perhaps"}
    _, problems = convert("ec2", "CreateVpc", given)
    assert [each.partition(";")[0] for each in problems] == [
        "CreateVpc.cidrBlok: AWS takes no such argument",
        "CreateVpc.instanceTenancy: 'shared'",
        "CreateVpc.ipv4NetmaskLength: 'many'",
        "CreateVpc.dryRun: 'perhaps'",
    ]


def test_a_name_with_underscores_is_none_of_the_provider_s() -> None:
    _, problems = convert("ec2", "CreateVpc", {"cidr_block": "10.0.0.0/16"})
    assert len(problems) == 1
