"""What is done with machines that run, with the bucket, the secret and the images."""

from __future__ import annotations

from tests.infra.iam.case import cannot, may
from tests.infra.iam.evaluator import Request
from tests.infra.iam.launch import BENS, TAGS, arn, on_machine
from tests.infra.iam.roles import ACCOUNT, BUCKET, HERE, IMAGES, KEY, KEY_POLICY, SECRET

SERVERS = {key: value for key, value in TAGS.items() if key != "student"}
"""Tags of the course server."""
NLP = TAGS | {"course": "nlp-2026"}
LAUNCHERS = ("student", "course server")


def ask(action: str, resource: str = "*", **context: str) -> tuple[Request, ...]:
    """One request; `s3__prefix` stands for `s3:prefix`."""
    return (
        Request(
            action=action, resource=resource, context={key.replace("__", ":"): each for key, each in context.items()}
        ),
    )


def use_key(action: str, service: str = "s3") -> tuple[Request, ...]:
    told = {"kms:ViaService": f"{service}.{HERE}.amazonaws.com"}
    return (Request(action=f"kms:{action}", resource=KEY, context=told, policy=KEY_POLICY),)


MACHINES = (
    may("student", "stops the own machine", on_machine("StopInstances"), "`sky stop`"),
    may("student", "ends the own machine", on_machine("TerminateInstances"), "`sky down`"),
    may("student, money spent", "ends the own machine", on_machine("TerminateInstances"), "what costs can be ended"),
    cannot("student", "stops another's machine", on_machine("StopInstances", BENS), "the machine is not Ana's"),
    cannot("student", "ends another's machine", on_machine("TerminateInstances", BENS), "the machine is not Ana's"),
    cannot("student", "ends every machine", ask("ec2:TerminateInstances", arn("instance", "*")), "some are not Ana's"),
    cannot("student", "ends a machine of no course", on_machine("TerminateInstances", {}), "the machine is not Ana's"),
    cannot("student", "ends another course's machine", on_machine("TerminateInstances", NLP), "not of the class"),
    *(
        cannot(who, "starts a stopped machine again", on_machine("StartInstances"), why)
        for who, why in {
            "student": "its autostop could be cancelled, and IAM cannot compare its lease with the clock",
            "student with admin": "the boundary has no such call",
            "node": "a node starts nothing",
            "node with admin": "the boundary has no such call",
            "course server": "`sky start` gives no new lease",
            "reaper": "it ends, and starts nothing",
        }.items()
    ),
    *(
        cannot(who, "makes a machine larger", on_machine("ModifyInstanceAttribute"), "prices are asked at launch")
        for who in ("student", "student with admin", "node", "course server")
    ),
    cannot(
        "student",
        "gives a machine another role",
        ask("ec2:ReplaceIamInstanceProfileAssociation", arn("instance", "i-0old")),
    ),
    cannot("student", "lets a machine answer IMDSv1", on_machine("ModifyInstanceMetadataOptions")),
    cannot(
        "student",
        "opens a port",
        ask("ec2:AuthorizeSecurityGroupIngress", arn("security-group", "sg-0abc")),
        "a service is reached by SSH",
    ),
    may("node", "stops a student's machine", on_machine("StopInstances"), "autostop of a cluster, by its head"),
    may("node", "ends a student's machine", on_machine("TerminateInstances"), "autodown of a cluster, by its head"),
    *(
        cannot(who, f"calls {call} on the course server", on_machine(call, SERVERS), "it is no student's")
        for who in ("student", "node", "course server")
        for call in ("StopInstances", "TerminateInstances")
    ),
    cannot("node", "ends another course's machine", on_machine("TerminateInstances", NLP), "not of the class"),
    cannot("node", "ends a machine of no course", on_machine("TerminateInstances", {}), "not of the class"),
    may(
        "course server", "stops a machine of the course", on_machine("StopInstances", BENS), "`sky stop`, whoever asks"
    ),
    may("course server", "ends a machine of the course", on_machine("TerminateInstances", BENS), "`sky down`"),
    cannot("course server", "ends another course's machine", on_machine("TerminateInstances", NLP), "not of the class"),
    may(
        "instructor",
        "starts a student's machine",
        on_machine("StartInstances", BENS),
        "with a lease that was lengthened",
    ),
    may("instructor", "stops a student's machine", on_machine("StopInstances", BENS), "it is the class's"),
    may("instructor", "ends a student's machine", on_machine("TerminateInstances", BENS), "it is the class's"),
    cannot("instructor", "ends another course's machine", on_machine("TerminateInstances", NLP), "not of the class"),
    may(
        "instructor",
        "deletes a disk of the course",
        ask("ec2:DeleteVolume", arn("volume", "vol-0old"), **{"aws:ResourceTag/course": "llm-2026"}),
        "it is the class's",
    ),
)

QUOTA = f"arn:aws:servicequotas:{HERE}:{ACCOUNT}:ec2/L-DB2E81BA"
BEFORE_A_LAUNCH = (
    *ask("ec2:DescribeInstances"),
    *ask("s3:ListAllMyBuckets"),
    *ask("servicequotas:GetServiceQuota", QUOTA),
)
BILL = ("budgets:ViewBudget", "ce:GetCostAndUsage", "ce:GetTags", "ce:GetAnomalies", "cloudwatch:DescribeAlarms")
THINGS = ("ec2:DescribeInstances", "elasticfilesystem:DescribeFileSystems", "s3:ListAllMyBuckets")
LOOKS = (
    *(may(who, "looks before a launch", BEFORE_A_LAUNCH, "what SkyPilot asks") for who in LAUNCHERS),
    may(
        "node",
        "looks before autostop",
        ask("ec2:DescribeInstances") + ask("ec2:DescribeSecurityGroups") + ask("ec2:DescribeVpcs"),
        "what SkyPilot asks",
    ),
    may("instructor", "sees what there is", tuple(Request(action=each) for each in THINGS), "of the account"),
    may("instructor", "sees what it costs", tuple(Request(action=each) for each in BILL), "and which alarm went off"),
)

MINE, BENS_RUN = f"{BUCKET}/runs/ana/r1/run.json", f"{BUCKET}/runs/ben/r1/run.json"
KEEP = f"{BUCKET}/reaper/keep.json"
OBJECT_CALLS = ("GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload", "ListMultipartUploadParts")
RUNNERS = ("node", "course server", "instructor")


def keep(where: str) -> tuple[Request, ...]:
    """All that a checkpoint asks, large ones in parts."""
    return tuple(Request(action=f"s3:{call}", resource=where) for call in OBJECT_CALLS)


BUCKETS = (
    may("student", "keeps an own run", keep(MINE), "the folder is the student's"),
    *(
        cannot("student", f"calls s3:{call} on another's run", ask(f"s3:{call}", BENS_RUN), "the folder is Ben's")
        for call in OBJECT_CALLS
    ),
    may("student", "lists the own runs", ask("s3:ListBucket", BUCKET, s3__prefix="runs/ana/"), "the student's folder"),
    may(
        "student",
        "asks whether the bucket is there",
        ask("s3:ListBucket", BUCKET),
        "SkyPilot does, of a mount; names of objects can so be listed, and not read",
    ),
    cannot("student", "lists another's runs", ask("s3:ListBucket", BUCKET, s3__prefix="runs/ben/"), "Ben's folder"),
    cannot("student", "lists every run", ask("s3:ListBucket", BUCKET, s3__prefix="runs/"), "the folder is not Ana's"),
    cannot("student without a tag", "keeps a run", keep(MINE), "a role without `student` is nobody"),
    may("student", "keeps an own checkpoint", keep(f"{BUCKET}/scratch/ana/step-100"), "the folder is the student's"),
    cannot(
        "student", "reads another's checkpoint", ask("s3:GetObject", f"{BUCKET}/scratch/ben/step-100"), "Ben's folder"
    ),
    cannot("student", "reads another bucket", ask("s3:GetObject", "arn:aws:s3:::payroll/runs/ana/x")),
    cannot("student", "deletes the bucket", ask("s3:DeleteBucket", BUCKET)),
    cannot("student", "opens the bucket to everybody", ask("s3:PutBucketPolicy", BUCKET)),
    *(
        cannot(who, "writes the reaper's keep-list", ask("s3:PutObject", KEEP), "it would keep a machine for ever")
        for who in ("student", "node", "course server")
    ),
    *(
        may(who, "uses the bucket's key", use_key("Decrypt") + use_key("GenerateDataKey"), "the bucket is encrypted")
        for who in ("student", *RUNNERS)
    ),
    cannot("student", "uses the key itself", use_key("Decrypt", "secretsmanager"), "it is used through S3 only"),
    cannot("student", "deletes the key", use_key("ScheduleKeyDeletion")),
    *(may(who, "keeps a run", keep(MINE), "a lab keeps its checkpoints") for who in RUNNERS),
    *(may(who, "lists the runs", ask("s3:ListBucket", BUCKET), "a mount does") for who in RUNNERS),
    may("node", "reads another's run", ask("s3:GetObject", BENS_RUN), "nodes share one role: `remote_identity` is one"),
    may("instructor", "writes the reaper's keep-list", ask("s3:PutObject", KEEP), "that is whose it is to say"),
)

PULLS = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")
PULL = tuple(Request(action=f"ecr:{call}", resource=f"{IMAGES}/train") for call in PULLS)
SECRETS = (
    may(
        "node",
        "reads the secret",
        ask("secretsmanager:GetSecretValue", SECRET),
        "a lab reads a model that has a licence",
    ),
    *(
        cannot(who, "reads the secret", ask("secretsmanager:GetSecretValue", SECRET), "only nodes need it")
        for who in ("student", "course server", "instructor", "reaper")
    ),
    cannot("node", "reads another secret", ask("secretsmanager:GetSecretValue", SECRET.replace("hf", "db"))),
    may("node", "decrypts the secret", use_key("Decrypt", "secretsmanager"), "the class's key encrypts it"),
    may("instructor", "encrypts the secret", use_key("GenerateDataKey", "secretsmanager"), "the class's key does"),
    may("instructor", "replaces the secret", ask("secretsmanager:PutSecretValue", SECRET), "it cannot be read back"),
    may(
        "instructor",
        "sees when the secret was replaced",
        ask("secretsmanager:DescribeSecret", SECRET),
        "not what it is",
    ),
    cannot("student", "replaces the secret", ask("secretsmanager:PutSecretValue", SECRET)),
    may("node", "logs in to the images", ask("ecr:GetAuthorizationToken"), "it pulls the lab's image"),
    may("node", "pulls an image", PULL, "it runs the lab's image"),
    cannot("node", "pushes an image", ask("ecr:PutImage", f"{IMAGES}/train"), "the next student would run it"),
    cannot("student", "pushes an image", ask("ecr:PutImage", f"{IMAGES}/train"), "the next student would run it"),
)
