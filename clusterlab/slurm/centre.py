"""A computing centre with Slurm, from `clusters/slurm.yaml`, and what SkyPilot must be told of it.

python -m clusterlab.slurm.centre clusters/slurm.yaml ssh >> ~/.slurm/config
python -m clusterlab.slurm.centre clusters/slurm.yaml sky >> ~/.sky/config.yaml
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from clusterlab.catalog import Catalog
from clusterlab.cluster import read_infra
from clusterlab.document import Document
from clusterlab.errors import ClusterlabError, InputError
from clusterlab.infra import Infra, within

PATH = Path("clusters/slurm.yaml")
FROM_CATALOG = "catalog"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""What names a cluster, a partition or an account."""
NAME_RULE = "allowed: letters, digits, '_', '.' and '-'"
TIME_LIMIT = re.compile(r"(\d+-)?\d{1,2}:\d\d:\d\d")
USAGE = "usage: python -m clusterlab.slurm.centre FILE ssh|sky"


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """The machine that users log in to, and as whom."""

    host: str
    port: int
    user: str
    identity_file: str
    """The private key of ssh."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """What an hour costs, in USD."""

    cpu: Decimal
    memory_gib: Decimal
    infra: tuple[Infra, ...]
    """Whose prices `catalog` takes; all of the catalog's where none is named."""
    accelerators: dict[str, Decimal]
    """By SkyPilot's name: the accelerators that the centre has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Centre:
    """One centre."""

    name: str
    login: Login
    partition: str | None
    account: str | None
    provision_timeout_seconds: int
    time_limit: str | None
    """As `sbatch --time` takes it: hours, minutes and seconds, days before them."""
    shared_folder: str | None
    usd_per_hour: Rates

    @classmethod
    def load(cls, path: Path, catalog: Catalog) -> Centre:
        """Read a centre.

        Raises:
            InputError: every fault of the file.
        """
        document = Document.load(path, [])
        centre = _centre(document, catalog)
        if document.problems:
            raise InputError(document.problems)
        return centre

    @property
    def infra(self) -> str:
        """What `sky launch --infra` takes."""
        return f"slurm/{self.name}/{self.partition}" if self.partition else "slurm"

    def ssh_config(self) -> str:
        """Its entry in `~/.slurm/config`."""
        lines = {
            "HostName": self.login.host,
            "Port": self.login.port,
            "User": self.login.user,
            "IdentityFile": self.login.identity_file,
            "IdentitiesOnly": "yes",
        }
        return f"Host {self.name}\n" + "".join(f"    {key} {value}\n" for key, value in lines.items())

    def skypilot_config(self) -> dict[str, Any]:
        """Its part of `~/.sky/config.yaml`."""
        rates = self.usd_per_hour
        own: dict[str, Any] = {
            "pricing": {
                "cpu": float(rates.cpu),
                "memory": float(rates.memory_gib),
                "accelerators": {name: float(usd) for name, usd in rates.accelerators.items()},
            }
        }
        if self.time_limit:
            own["sbatch_options"] = {"time": self.time_limit}
        if self.account:
            own["quota"] = {"account": self.account}
        if self.shared_folder:
            own["workdir"] = self.shared_folder
        timeout = self.provision_timeout_seconds
        return {"slurm": {"provision_timeout": timeout, "cluster_configs": {self.name: own}}}


def main(arguments: Sequence[str]) -> int:
    """Print one of the two files that SkyPilot reads."""
    if len(arguments) != 2 or arguments[1] not in ("ssh", "sky"):
        print(USAGE, file=sys.stderr)
        return InputError.exit_code
    try:
        centre = Centre.load(Path(arguments[0]), Catalog.load())
    except ClusterlabError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(centre.ssh_config() if arguments[1] == "ssh" else yaml.safe_dump(centre.skypilot_config()), end="")
    return 0


def _centre(document: Document, catalog: Catalog) -> Centre:
    document.refuse_unknown("", set(Centre.__dataclass_fields__))
    document.refuse_unknown("login", set(Login.__dataclass_fields__))
    time_limit = _text(document, "time_limit")
    if time_limit and not TIME_LIMIT.fullmatch(time_limit):
        document.complain("time_limit", f'{time_limit!r}; allowed: "04:00:00", "1-00:00:00", in quotation marks')
    shared_folder = _text(document, "shared_folder")
    if shared_folder and not shared_folder.startswith("/"):
        document.complain("shared_folder", f"{shared_folder!r}; must begin with /")
    return Centre(
        name=_name(document, "name") or "",
        login=_login(document),
        partition=_name(document, "partition"),
        account=_name(document, "account"),
        provision_timeout_seconds=document.integer_at("provision_timeout_seconds"),
        time_limit=time_limit,
        shared_folder=shared_folder,
        usd_per_hour=_rates(document, catalog),
    )


def _login(document: Document) -> Login:
    return Login(
        host=_word(document, "login.host"),
        port=document.integer_at("login.port", default=22),
        user=_word(document, "login.user"),
        identity_file=document.text_at("login.identity_file"),
    )


def _rates(document: Document, catalog: Catalog) -> Rates:
    key = "usd_per_hour"
    document.refuse_unknown(key, set(Rates.__dataclass_fields__))
    names = document.mapping_at(f"{key}.accelerators")
    where = f"{key}.infra"
    infra = () if document.at(where) is None else read_infra(document, where)
    if infra:
        catalog = within(catalog, infra, path=str(document.path), key=where)
    return Rates(
        infra=infra,
        cpu=_price(document, f"{key}.cpu"),
        memory_gib=_price(document, f"{key}.memory_gib"),
        accelerators={str(name): _accelerator(document, f"{key}.accelerators", str(name), catalog) for name in names},
    )


def _accelerator(document: Document, within: str, name: str, catalog: Catalog) -> Decimal:
    key = f"{within}.{name}"
    if document.mapping_at(within)[name] != FROM_CATALOG:
        return _price(document, key)
    prices = [row.on_demand_usd for row in catalog.machines(accelerator=name, count=1)]
    known = [price for price in prices if price is not None]
    if not known:
        document.complain(key, f"the catalog has no machine with one {name}; allowed: a price in USD")
    return min(known, default=Decimal(0))


def _price(document: Document, key: str) -> Decimal:
    price = document.decimal_at(key)
    if price < 0:
        document.complain(key, f"{price}; must be a number from 0")
    return price


def _text(document: Document, key: str) -> str | None:
    return None if document.at(key) is None else document.text_at(key)


def _name(document: Document, key: str) -> str | None:
    """A name; what is null stays null, but for the centre's own."""
    text = document.text_at(key) if key == "name" else _text(document, key)
    if text and not NAME.fullmatch(text):
        document.complain(key, f"{text!r}; {NAME_RULE}")
    return text


def _word(document: Document, key: str) -> str:
    text = document.text_at(key)
    if len(text.split()) > 1:
        document.complain(key, f"{text!r}; must be one word")
    return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
