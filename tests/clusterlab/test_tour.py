"""The tour of the code: every package explains itself, and names of files that it gives are those that there are."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from clusterlab.errors import InputError
from clusterlab.tour import FOLDERS, MIRRORS, NOUNS, PACKAGES, house_map, tour_page
from tests.clusterlab.conftest import ROOT

NAMED = re.compile(r"`([\w*./-]+(?:\.(?:csv|jsonl?|lock|md|py|yaml)|/))`")
"""A file or a folder in a docstring."""
NOT_FILES = {"metrics.jsonl", "runs/"}
"""What a run leaves, and no repository has."""


def packages(root: Path = ROOT) -> list[Path]:
    """All of the repository, and of the tests those of the first level, whose folders mirror the packages."""
    found = {path.parent for name in PACKAGES for path in (root / name).rglob("__init__.py")}
    return sorted(path for path in found if path.relative_to(root).parts[0] != MIRRORS or _depth(path, root) <= 2)


def _depth(path: Path, root: Path) -> int:
    return len(path.relative_to(root).parts)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def docstring(package: Path) -> str:
    return ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""


def test_packages_were_found() -> None:
    assert {"clusterlab/ledger", "jobs/llm", "infra/aws", "tests/docs"} <= set(map(name, packages()))


@pytest.mark.parametrize("package", packages(), ids=name)
def test_each_package_explains_itself_in_a_sentence_and_a_paragraph(package: Path) -> None:
    first, _, paragraph = docstring(package).partition("\n\n")
    assert first.endswith((".", "`."))
    assert len(paragraph) > 60


@pytest.mark.parametrize("package", packages(), ids=name)
def test_what_a_package_says_is_where_it_says(package: Path) -> None:
    named = set(NAMED.findall(docstring(package))) - NOT_FILES
    missing = {each for each in named if not any(any(place.glob(each)) for place in (package, package.parent, ROOT))}
    assert missing == set()


@pytest.mark.parametrize(("noun", "file"), [(noun, file) for noun, (file, _) in NOUNS.items()])
def test_each_noun_is_a_class_of_its_own_file(noun: str, file: str) -> None:
    classes = [node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.ClassDef)]
    assert noun in classes


def test_every_folder_of_the_repository_is_on_the_tour() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    folders = {line.partition("/")[0] for line in listed if "/" in line and not line.startswith(".")}
    assert folders == {*FOLDERS, *PACKAGES}
    page = tour_page(ROOT)
    for path in [*map(ROOT.joinpath, FOLDERS), *packages()]:
        assert f"\n### `{name(path)}/`\n" in page


def test_a_noun_and_a_verb_stand_with_their_file() -> None:
    page = tour_page(ROOT)
    assert "| **Lease** | [`clusterlab/lease.py`](../clusterlab/lease.py) | A lease: until when" in page
    assert "| `class warm` | [`clusterlab/course/fleet/command.py`](../clusterlab/course/fleet/command.py) | " in page
    assert (
        "| `new lab` | [`clusterlab/template/command.py`](../clusterlab/template/command.py) | Make labs/NAME.yaml"
        in page
    )


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A repository with one package, one folder of data, and one module."""
    (tmp_path / "clusterlab" / "one").mkdir(parents=True)
    (tmp_path / "clusterlab" / "__init__.py").write_text('"""The library.\n\nMore of it.\n"""\n')
    (tmp_path / "clusterlab" / "one" / "__init__.py").write_text('"""A package\nof two lines."""\n')
    (tmp_path / "clusterlab" / "one" / "noun.py").write_text('"""A | noun."""\n')
    (tmp_path / "labs").mkdir()
    (tmp_path / "labs" / "a.yaml").touch()
    return tmp_path


def test_a_folder_stands_with_its_paragraph_and_its_files(small: Path) -> None:
    page = tour_page(small)
    assert "\n### `clusterlab/`\n\nThe library.\n\nMore of it.\n" in page
    assert "| [`noun.py`](../clusterlab/one/noun.py) | A \\| noun. |" in page
    assert page.index("### `labs/`") < page.index("### `clusterlab/`")
    assert "`images/`" not in page


def test_the_map_has_each_folder_with_its_first_sentence(small: Path) -> None:
    lines = house_map(small).splitlines()
    assert "| `clusterlab/one/` | A package of two lines. |" in lines
    assert "| `clusterlab/` | The library. |" in lines
    assert any(line.startswith("| `labs/` | What to run and what it may cost: a SkyPilot task, and ") for line in lines)


def test_a_package_and_a_module_without_a_docstring_are_named(small: Path) -> None:
    (small / "clusterlab" / "one" / "noun.py").write_text("x = 1\n")
    with pytest.raises(InputError, match=r"noun.py: has no docstring"):
        tour_page(small)
    (small / "clusterlab" / "one" / "__init__.py").write_text("")
    with pytest.raises(InputError, match=r"one/__init__.py: has no docstring"):
        house_map(small)
