"""Where machines may be: a cloud or one region of it, as `sky launch --infra` writes it, such as `aws/us-east-1`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clusterlab.catalog import LOCAL, Catalog, Row
from clusterlab.errors import InputError, Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Infra:
    """A cloud by SkyPilot's name, and a region; all of its regions where that is None."""

    cloud: str
    region: str | None

    @classmethod
    def parse(cls, text: str, *, path: str, key: str = "") -> Infra:
        """Read `cloud` or `cloud/region`.

        Raises:
            InputError: it is neither.
        """
        cloud, slash, region = text.strip().partition("/")
        if not cloud or (slash and not region) or "/" in region or "*" in text:
            message = f"{text!r}; allowed: a cloud or a region of it, such as aws or aws/us-east-1"
            raise InputError(Problem(path=path, key=key, message=message))
        return cls(cloud=cloud.lower(), region=region or None)

    def holds(self, row: Row) -> bool:
        """Whether a row's price is one of there."""
        return row.cloud == self.cloud and self.region in (None, row.region)

    def __str__(self) -> str:
        return self.cloud if self.region is None else f"{self.cloud}/{self.region}"


def infra_of(row: Row) -> Infra:
    """Where a row's price is asked."""
    return Infra(cloud=row.cloud, region=row.region or None)


def within(catalog: Catalog, infra: Sequence[Infra], *, path: str, key: str = "") -> Catalog:
    """The rows of these places and of this machine, in the catalog's order.

    Raises:
        InputError: the catalog has nothing at one of them; `path` and `key` say where it is written.
    """
    known = dict.fromkeys(str(infra_of(row)) for row in catalog.rows if row.cloud != LOCAL)
    problems = [
        Problem(path=path, key=key, message=f"{each}: not in the catalog; allowed: {', '.join(known)}")
        for each in infra
        if not any(map(each.holds, catalog.rows))
    ]
    if problems:
        raise InputError(problems)
    rows = (row for row in catalog.rows if row.cloud == LOCAL or any(each.holds(row) for each in infra))
    return Catalog(rows=tuple(rows))
