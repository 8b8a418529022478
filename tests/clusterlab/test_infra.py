from __future__ import annotations

import pytest

from clusterlab.catalog import Catalog
from clusterlab.errors import InputError
from clusterlab.infra import Infra, infra_of, within


def places(*texts: str) -> list[Infra]:
    return [Infra.parse(text, path="--infra") for text in texts]


@pytest.mark.parametrize("text", ["aws", "aws/us-east-1", "runpod/US"])
def test_it_reads_back_as_it_was_written(text: str) -> None:
    assert [str(each) for each in places(text)] == [text]


@pytest.mark.parametrize("text", ["", "/us-east-1", "aws/", "aws/us-east-1/us-east-1a", "*/us-east-1"])
def test_what_is_no_cloud_or_region_of_one_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^--infra: .*; allowed: a cloud or a region of it, such as aws or aws/us-"):
        places(text)


def test_a_region_has_its_own_prices_and_this_machine_is_everywhere() -> None:
    rows = within(Catalog.load(), places("aws/us-east-1"), path="--infra").rows
    assert {str(infra_of(row)) for row in rows} == {"aws/us-east-1", "local"}


def test_a_cloud_has_the_prices_of_all_its_regions() -> None:
    catalog = Catalog.load()
    rows = within(catalog, places("aws"), path="--infra").rows
    assert set(rows) == {row for row in catalog.rows if row.cloud in ("aws", "local")}


def test_each_place_that_the_catalog_does_not_know_is_named_with_those_it_knows() -> None:
    with pytest.raises(InputError) as error:
        within(Catalog.load(), places("moon", "aws", "aws/moon-1"), path="--infra")
    first, second = error.value.problems
    assert str(first).startswith("--infra: moon: not in the catalog; allowed: aws/us-east-1, ")
    assert str(second).startswith("--infra: aws/moon-1: not in the catalog; ")
