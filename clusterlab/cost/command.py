"""The verb `plan`.

clusterlab plan labs/qlora.yaml --infra aws/us-east-1
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clusterlab.terminal import Infras, Json, Labs, print_json, terminal

if TYPE_CHECKING:
    from clusterlab.catalog import Catalog
    from clusterlab.lab import Lab


def plan(labs: Labs = None, infra: Infras = None, json: Json = False) -> None:
    """Plan hours and dollars at each scale: low, expected and high.

    Prices are those of the places that the class of a lab may use, by clusters/<course>.yaml. A price that is not known
    is shown as unknown, and the estimate as incomplete.
    """
    from datetime import UTC, datetime

    from clusterlab.catalog import Catalog
    from clusterlab.lab import lab_paths
    from clusterlab.plan import plan as plan_lab
    from clusterlab.repository import enter, load_labs

    _, paths = enter(labs or [])
    catalog, today = Catalog.load(), datetime.now(UTC).date()
    loaded = load_labs(paths or lab_paths(Path("labs")))
    plans = [plan_lab(lab, offered_to(lab, catalog, infra or []), today=today) for lab in loaded]
    if json:
        print_json({"plans": [each.as_json() for each in plans]})
        return
    console = terminal()
    for each in plans:
        for part in each.render():
            console.print(part)


def offered_to(lab: Lab, catalog: Catalog, infra: list[str]) -> Catalog:
    """The prices that a lab of the working folder's repository is planned at: those of `infra`, else of its class.

    Raises:
        InputError: the catalog has nothing at one of these places, or the class's file has a fault.
    """
    from clusterlab.cluster import offered
    from clusterlab.infra import Infra, within

    if infra:
        places = [Infra.parse(each, path="--infra") for each in infra]
        return within(catalog, places, path="--infra")
    return offered(catalog, lab.resources.labels.get("course"), Path())
