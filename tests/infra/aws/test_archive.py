from __future__ import annotations

from pathlib import Path

import pulumi
import pytest

from infra.aws.archive import archive, modules


@pytest.fixture
def root(tmp_path: Path) -> Path:
    package = tmp_path / "house" / "rooms"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    (package / "__init__.py").write_text("from house import roof")
    (package / "hall.py").write_text(
        "import json\nfrom house.rooms import door\n\ndef late():\n    import house.stairs\n"
    )
    (package / "door.py").write_text("from house.lock import KEY")
    for name in ("lock", "roof", "stairs", "garden"):
        (package.parent / f"{name}.py").write_text("KEY = 1")
    return tmp_path


def test_what_a_module_imports_is_there_with_the_packages_around_it_and_nothing_else(root: Path) -> None:
    assert set(modules("house.rooms.hall", root)) == {
        "house",
        "house.lock",
        "house.roof",
        "house.rooms",
        "house.rooms.door",
        "house.rooms.hall",
        "house.stairs",
    }


def test_a_module_that_is_none_is_an_error(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"house\.rooms\.cellar: no module below"):
        modules("house.rooms.cellar", root)


def test_files_lie_as_they_do_below_the_root_and_say_no_path_of_this_machine(root: Path) -> None:
    assets = archive("house.rooms.door", root).assets
    below = ("__init__", "lock", "roof", "rooms/__init__", "rooms/door")
    assert sorted(assets) == [f"house/{name}.py" for name in below]
    assert all(isinstance(each, pulumi.StringAsset) for each in assets.values())
