"""Dated facts and prices of machines, disks and egress, from `catalog.csv`.

One row is one price: of a `machine` per hour, of a `disk` per GB and month, of `egress` to the internet per GB. A price
that is not known is left empty there and is None here, never 0. `as_of` is the day on which the source showed the
price; it is empty for a row without one, and for this machine, which costs nothing by definition.

`accelerator_peak_tflops` is of dense 16-bit matrices on the tensor cores, by NVIDIA's data sheets: T4 65, A10 125,
A10G 70, L4 121 (242 with sparsity), L40S 362 (733), A100 312 (624), H100 and H200 SXM 989 (1979).
`accelerator_gb_per_second` is of its memory, by the same sheets: T4 320, A10 and A10G 600, L4 300, L40S 864, A100 1555,
with 80 GB 2039 (SXM) or 1935 (PCIe), H100 SXM 3350, H200 4800. `network_gbps` is a machine's line rate ("up to" for
AWS's small ones; Azure's InfiniBand where it has that).

A row's `source` is of its price. AWS's CPUs, memory and GPUs are checked against EC2's own description in a test;
those of Azure's GPU machines and of Google Cloud's A2 and A3 were compared with SkyPilot's catalogs (schemas v6 and
v8), which the clouds' own interfaces fill. Line rates of those two clouds were not looked up in the vendors' tables:
not verified.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from clusterlab.errors import InputError, Problem

PATH = Path(__file__).with_name("catalog.csv")
LOCAL = "local"
"""The cloud that is this machine."""
HOURS_PER_MONTH = Decimal(730)
"""Of a disk's price: a year's hours by twelve."""
COLUMNS = (
    "kind",
    "cloud",
    "region",
    "name",
    "accelerator",
    "accelerator_count",
    "accelerator_memory_gib",
    "accelerator_peak_tflops",
    "accelerator_gb_per_second",
    "vcpus",
    "memory_gib",
    "network_gbps",
    "unit",
    "on_demand_usd",
    "spot_usd",
    "as_of",
    "source",
)

DEVICES = {
    "T4": re.compile(r"(Tesla|NVIDIA) T4"),
    "A10": re.compile(r"NVIDIA A10"),
    "A10G": re.compile(r"NVIDIA A10G"),
    "L4": re.compile(r"NVIDIA L4"),
    "L40S": re.compile(r"NVIDIA L40S"),
    "A100": re.compile(r"(NVIDIA )?A100[- ](SXM4|PCIE|PCIe)[- ]40GB"),
    "A100-80GB": re.compile(r"(NVIDIA )?A100([- ]SXM4-80GB|-PCIE-80GB| 80GB PCIe)"),
    "A100-80GB-SXM": re.compile(r"(NVIDIA )?A100[- ]SXM4-80GB"),
    "H100": re.compile(r"NVIDIA H100 80GB HBM3"),
    "H100-SXM": re.compile(r"NVIDIA H100 80GB HBM3"),
    "H200": re.compile(r"NVIDIA H200"),
}
"""What `torch.cuda.get_device_name()` calls them. Some clouds have a name of their own for the SXM board; the H100's
PCIe and NVL boards are slower than it, and none of these."""

T = TypeVar("T")


class Kind(StrEnum):
    """What a row prices."""

    MACHINE = "machine"
    DISK = "disk"
    EGRESS = "egress"


UNITS = {Kind.MACHINE: "hour", Kind.DISK: "gb_month", Kind.EGRESS: "gb"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One price with its date and source."""

    kind: Kind
    cloud: str
    region: str
    name: str
    """Instance type, disk type, or `internet`, as the cloud calls it."""
    accelerator: str
    """By SkyPilot's name; empty for none."""
    accelerator_count: int
    accelerator_memory_gib: Decimal | None
    accelerator_peak_tflops: Decimal | None
    """Of one accelerator, in 10^12 floating-point operations a second: dense, 16 bits, tensor cores."""
    accelerator_gb_per_second: Decimal | None
    """Between one accelerator and its memory, in 10^9 bytes a second."""
    vcpus: Decimal | None
    memory_gib: Decimal | None
    network_gbps: Decimal | None
    """Of the machine, to other machines, in 10^9 bits a second."""
    on_demand_usd: Decimal | None
    """Per unit; None where it is not known."""
    spot_usd: Decimal | None
    as_of: date | None
    source: str

    def usd(self, *, spot: bool) -> Decimal | None:
        """The price per unit, on demand or spot; None where it is not known."""
        return self.spot_usd if spot else self.on_demand_usd

    @property
    def unit(self) -> str:
        """Of which the price is."""
        return UNITS[self.kind]

    @property
    def placed(self) -> str:
        """Its name with its region, which is part of a price."""
        return f"{self} in {self.region}" if self.region else str(self)

    def __str__(self) -> str:
        return self.name if self.cloud == LOCAL else f"{self.cloud} {self.name}"


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """All rows."""

    rows: tuple[Row, ...]

    @cached_property
    def _placed(self) -> dict[tuple[Kind, str, str, str], Row]:
        """By kind, cloud, region and name: a meter asks for each machine that it sees."""
        return {(row.kind, row.cloud, row.region, row.name): row for row in reversed(self.rows)}

    @cached_property
    def _beside(self) -> dict[tuple[Kind, str, str], Row]:
        """By kind, cloud and region the first."""
        return {(row.kind, row.cloud, row.region): row for row in reversed(self.rows)}

    @classmethod
    def load(cls, path: Path = PATH) -> Catalog:
        """Read a catalog.

        Raises:
            InputError: every value that is wrong, with its line and column.
        """
        problems: list[Problem] = []
        try:
            with path.open(newline="") as file:
                reader = csv.DictReader(file, strict=True)
                if tuple(reader.fieldnames or ()) != COLUMNS:
                    raise InputError(Problem(path=f"{path}:1", message=f"wrong columns; allowed: {','.join(COLUMNS)}"))
                rows = tuple(
                    _row(_Cells(line=f"{path}:{reader.line_num}", values=values, problems=problems))
                    for values in reader
                )
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(Problem(path=str(path), message=f"cannot be read: {error}")) from error
        if problems:
            raise InputError(problems)
        return cls(rows=rows)

    def machines(
        self,
        *,
        accelerator: str = "",
        count: int = 0,
        min_vcpus: Decimal = Decimal(0),
        min_memory_gib: Decimal = Decimal(0),
    ) -> tuple[Row, ...]:
        """The clouds' machines with exactly so many accelerators, and at least so many CPUs and GiB."""
        return tuple(
            row
            for row in self._of(Kind.MACHINE)
            if row.cloud != LOCAL
            and (row.accelerator, row.accelerator_count) == (accelerator, count)
            and (row.vcpus or 0) >= min_vcpus
            and (row.memory_gib or 0) >= min_memory_gib
        )

    def with_accelerator(self, name: str) -> tuple[Row, ...]:
        """The clouds' machines with that accelerator, however many."""
        return tuple(row for row in self._of(Kind.MACHINE) if row.accelerator and row.accelerator == name)

    def accelerators(self) -> tuple[str, ...]:
        """The name of each accelerator that some machine has."""
        return tuple(dict.fromkeys(row.accelerator for row in self._of(Kind.MACHINE) if row.accelerator))

    def row(self, kind: Kind, cloud: str, region: str, name: str) -> Row | None:
        """The price of one thing at one place; None where the catalog has none."""
        return self._placed.get((kind, cloud, region, name))

    def local(self) -> Row:
        """This machine."""
        return next(row for row in self._of(Kind.MACHINE) if row.cloud == LOCAL)

    def beside(self, kind: Kind, machine: Row) -> Row | None:
        """The disk or the egress of a machine's cloud and region; None where the catalog has none."""
        return self._beside.get((kind, machine.cloud, machine.region))

    def _of(self, kind: Kind) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.kind is kind)


def peak_tflops_of(device_name: str) -> Decimal | None:
    """The catalog's peak of a device, by what torch calls it; None for one that it does not know."""
    for accelerator, pattern in DEVICES.items():
        if pattern.fullmatch(device_name):
            return next(row.accelerator_peak_tflops for row in Catalog.load().with_accelerator(accelerator))
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cells:
    """One line, read by column; a fault is noted with its place."""

    line: str
    values: dict[str, str]
    problems: list[Problem]

    def complain(self, column: str, message: str) -> None:
        self.problems.append(Problem(path=self.line, key=column, message=message))

    def text(self, column: str) -> str:
        return self.values.get(column) or ""

    def need(self, column: str, allowed: str) -> str:
        if not self.text(column):
            self.complain(column, f"missing; allowed: {allowed}")
        return self.text(column)

    def read(self, column: str, convert: Callable[[str], T], allowed: str) -> T | None:
        text = self.text(column)
        if not text:
            return None
        try:
            return convert(text)
        except (ValueError, InvalidOperation):
            self.complain(column, f"{text!r}; allowed: {allowed}")
            return None

    def number(self, column: str) -> Decimal | None:
        return self.read(column, _from_zero, "a number from 0, or empty where it is not known")


def _row(cells: _Cells) -> Row:
    cells.need("kind", ", ".join(Kind))
    kind = cells.read("kind", Kind, ", ".join(Kind)) or Kind.MACHINE
    cloud = cells.need("cloud", "a cloud by SkyPilot's name, or local")
    if cells.need("unit", UNITS[kind]) not in ("", UNITS[kind]):
        cells.complain("unit", f"{cells.values['unit']!r}; allowed: {UNITS[kind]}")
    if cloud != LOCAL and (cells.text("on_demand_usd") or cells.text("spot_usd")):
        cells.need("as_of", "the day on which the source showed the price")
    if None in cells.values:
        cells.complain("", f"more cells than columns; allowed: {len(COLUMNS)}")
    return Row(
        kind=kind,
        cloud=cloud,
        region=cells.text("region"),
        name=cells.need("name", "as the cloud calls it"),
        accelerator=cells.text("accelerator"),
        accelerator_count=cells.read("accelerator_count", int, "a whole number") or 0,
        accelerator_memory_gib=cells.number("accelerator_memory_gib"),
        accelerator_peak_tflops=cells.number("accelerator_peak_tflops"),
        accelerator_gb_per_second=cells.number("accelerator_gb_per_second"),
        vcpus=cells.number("vcpus"),
        memory_gib=cells.number("memory_gib"),
        network_gbps=cells.number("network_gbps"),
        on_demand_usd=cells.number("on_demand_usd"),
        spot_usd=cells.number("spot_usd"),
        as_of=cells.read("as_of", date.fromisoformat, "a day, such as 2026-09-06"),
        source=cells.need("source", "who published the price, and where it was seen"),
    )


def _from_zero(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite() or number < 0:
        raise ValueError(text)
    return number
