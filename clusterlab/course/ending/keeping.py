"""What the end of a class leaves alone, why, and what that costs whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from clusterlab.reaper.cloud import ERRORS, Cloud, told
from clusterlab.reaper.keeplist import KeepList
from clusterlab.reaper.listing import EVERYWHERE, PAGE
from clusterlab.reaper.resource import Kind, Resource, tags_of

SERVER_DATA = "-server-data"
"""How the `Name` of the course server's disk ends, and so that of its copies; `infra.aws.server_disk` says so."""
COMPLETED = "completed"
WHY_COPY = "the last copy of the course server's disk, with its ledger"
WHY_BUCKET = "runs and results, which are asked for after a class; emptying it is the instructor's own act"
BUCKET = "bucket"


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """One thing that stays."""

    kind: str
    id: str
    region: str
    why: str
    usd: Decimal | None
    """An hour; None where it is not known."""
    pays: str

    def as_json(self) -> dict[str, Any]:
        """As JSON values; a price that is not known is `unknown`, and never 0."""
        usd = "unknown" if self.usd is None else f"{self.usd:f}"
        return {
            "kind": self.kind,
            "id": self.id,
            "region": self.region,
            "why": self.why,
            "usd_per_hour": usd,
            "pays": self.pays,
        }

    def __str__(self) -> str:
        usd = "unknown" if self.usd is None else f"{self.usd:.4f}"
        return f"kept  {self.region}  {self.kind} {self.id}: {self.why}; {usd} USD/h, {self.pays} pays"


def with_copies(keep: KeepList, resources: Iterable[Resource]) -> KeepList:
    """The keep-list with the newest whole copy of the server's disk, and what is newer and still being copied."""
    copies = [each for each in resources if each.kind is Kind.SNAPSHOT and each.created and _of_server(each.tags)]
    whole = [each.created for each in copies if each.state == COMPLETED and each.created]
    newest = max(whole, default=None)
    found = {each.id: WHY_COPY for each in copies if newest is None or (each.created and each.created >= newest)}
    return replace(keep, reasons=found | keep.reasons)


def _of_server(tags: Mapping[str, str]) -> bool:
    return tags.get("Name", "").endswith(SERVER_DATA)


def buckets(cloud: Cloud, course: str, account: str) -> Iterator[Kept]:
    """The class's buckets, which no sweep ends; none where they cannot be listed, which the sweep's own look says."""
    s3 = cloud.client("s3", cloud.home)
    try:
        pages = s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": PAGE})
        names = [bucket["Name"] for page in pages for bucket in page.get("Buckets", ())]
    except ERRORS:
        return
    for name in names:
        try:
            tags = tags_of(s3.get_bucket_tagging(Bucket=name), "TagSet")
        except ERRORS as error:
            if "NoSuch" in told(error):
                continue
            tags = {}
        if tags.get("course") == course:
            yield Kept(kind=BUCKET, id=name, region=EVERYWHERE, why=WHY_BUCKET, usd=None, pays=payer(account))


def payer(account: str) -> str:
    """Who pays for what stays: no student's budget, since the ledger is settled."""
    return f"account {account}"
