"""The Dockerfiles: what a linter says, what they must keep, and their build stage run from the locks without Docker."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from clusterlab.fingerprint import digest_file
from clusterlab.images.image import PATH, Images
from tests.clusterlab.conftest import ROOT
from tests.images.dockerfile import DOCKERFILES, IMAGES, build, instructions

BIN = Path(sys.executable).parent
AS_THERE = "--dry-run --python-version 3.12 --python-platform x86_64-manylinux_2_39"
"""Ubuntu 24.04's Python and C library, and wheels looked up but not downloaded: with CUDA they are gigabytes."""
BAD = "FROM ubuntu:latest\nUSER root\nRUN cd /tmp && apt-get install curl\nMAINTAINER me\n"
each_file = pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)


def test_dockerfiles_were_found() -> None:
    assert [path.stem for path in DOCKERFILES] == ["serve", "train"]


@each_file
def test_the_linter_says_nothing(path: Path) -> None:
    assert hadolint(path) == (0, "")


def test_the_linter_says_what_is_wrong_where_something_is(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(BAD)
    code, said = hadolint(tmp_path / "Dockerfile")
    assert code == 1
    assert {"DL3007", "DL3002", "DL3008", "DL4000"} <= set(re.findall(r"DL\d{4}", said))


@each_file
def test_nothing_is_built_on_but_the_pinned_base(path: Path) -> None:
    """Which has no default, so that none is taken without a digest."""
    found = instructions(path)
    assert [each.text for each in found if each.keyword == "FROM"] == ["${BASE} AS base", "base AS build", "base"]
    assert {each.text for each in found if each.keyword == "ARG" and "BASE" in each.text} == {"BASE"}


@each_file
def test_it_runs_as_a_user_of_a_fixed_number_who_owns_nothing_of_it(path: Path) -> None:
    last = [each for each in instructions(path) if each.stage == ""]
    assert [each.text for each in last if each.keyword == "USER"] == ["10001:10001"]
    assert "--uid 10001 " in next(each.text for each in last if each.keyword == "RUN")
    assert not any("--chown" in each.text for each in last)


@each_file
def test_it_says_where_it_comes_from(path: Path) -> None:
    labels = next(each.text for each in instructions(path) if each.keyword == "LABEL")
    wanted = {"source", "revision", "created", "licenses", "base.name", "title"}
    assert {f"org.opencontainers.image.{name}" for name in wanted} <= set(re.findall(r"([\w.]+)=", labels))
    declared = {each.text for each in instructions(path) if each.stage == "" and each.keyword == "ARG"}
    assert set(re.findall(r"\$\{(\w+)\}", labels)) <= declared


def test_a_server_can_be_asked_whether_it_is_well() -> None:
    health = next(each.text for each in instructions(IMAGES / "serve.Dockerfile") if each.keyword == "HEALTHCHECK")
    assert "http://127.0.0.1:8000/health" in health


@each_file
def test_all_that_its_lock_names_is_to_be_had_there(path: Path, tmp_path: Path) -> None:
    """Every wheel for the image's own platform, CUDA's too; nothing of them is downloaded."""
    build(path, tmp_path, options=AS_THERE)
    (environment,) = (each for each in (tmp_path / "opt/clusterlab").iterdir() if not each.is_symlink())
    assert "nvidia-cublas" in (environment / "requirements.txt").read_text()


def test_a_version_that_does_not_exist_fails_the_install(tmp_path: Path) -> None:
    (tmp_path / "a.lock").write_text("peft==0.0.999\n")
    variables = os.environ | {"UV": str(BIN / "uv"), "PYTHON": sys.executable}
    command = [str(IMAGES / "install.sh"), str(tmp_path / "a.lock"), str(tmp_path / "a"), "--dry-run"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "peft==0.0.999" in done.stderr
    assert not (tmp_path / "a/installed").exists()


def test_the_build_stage_makes_the_environment_where_make_env_finds_it_and_lists_what_is_in_it(tmp_path: Path) -> None:
    """For real, with the CPU build of torch where find-links offer it; what it lists is valid by CycloneDX's schema."""
    find_links = cpu_wheels()
    if find_links is None:
        pytest.skip("no find-links here with the CPU build of torch; with CUDA this is gigabytes")
    build(IMAGES / "train.Dockerfile", tmp_path, find_links=find_links)
    named, linked = sorted((tmp_path / "opt/clusterlab").iterdir(), key=lambda path: path.is_symlink())
    assert f"/opt/clusterlab/{named.name}" == make_variable("BAKED")
    assert linked.resolve() == named
    assert (named / "installed").exists()
    # Found and not imported: Python would compile them all for nothing; the jobs' tests run in the same environment.
    there = "from importlib.util import find_spec; assert all(map(find_spec, ('torch', 'transformers', 'peft', 'ray')))"
    subprocess.run([named / "bin/python", "-c", there], check=True, cwd=tmp_path)
    text = (tmp_path / "usr/share/sbom/train.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert locked(named / "requirements.txt", named / "bin/python") == listed(text)
    assert json.loads(text)["metadata"]["timestamp"].startswith("2023-11-14")


@each_file
def test_make_builds_on_no_base_that_nobody_verified(path: Path) -> None:
    if Images.load(ROOT / PATH).by_name["cuda"].verified:
        pytest.skip("the base is verified")
    done = make(f"image-{path.stem}")
    assert done.returncode != 0
    assert "images/images.yaml: cuda.verified: false" in done.stderr


@each_file
def test_make_gives_docker_a_value_for_each_argument(path: Path, tmp_path: Path) -> None:
    """A stand-in for Docker says what it was asked."""
    (tmp_path / "docker").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "docker").chmod(0o755)
    done = make(f"image-{path.stem}", "UNVERIFIED=1", PATH=f"{tmp_path}:{os.environ['PATH']}")
    words = done.stdout.splitlines()
    given = dict(word.split("=", 1) for before, word in pairwise(words) if before == "--build-arg")
    assert given.keys() == {each.text for each in instructions(path) if each.keyword == "ARG"}
    assert all(given.values())
    assert given["BASE"] == Images.load(ROOT / PATH).by_name["cuda"].reference
    lock = re.search(r"images/[\w-]+\.lock(?=@)", path.read_text())
    assert lock is not None
    assert given["LOCK_SHA256"] == digest_file(ROOT / lock.group())
    assert words[:3] == ["build", "--file", f"images/{path.name}"]


def hadolint(path: Path) -> tuple[int, str]:
    done = subprocess.run([BIN / "hadolint", "--no-color", path], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def locked(requirements: Path, python: Path) -> dict[str, str]:
    """Each package of a lock that is for this machine and this Python, by name."""
    from packaging.requirements import Requirement

    ask = "import platform; print(platform.python_version())"
    version = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
    here = {"python_full_version": version, "python_version": version.rpartition(".")[0]}
    wanted = map(Requirement, requirements.read_text().splitlines())
    return {each.name: str(each.specifier)[2:] for each in wanted if each.marker is None or each.marker.evaluate(here)}


def listed(sbom: str) -> dict[str, str]:
    return {
        re.sub(r"[-_.]+", "-", each["name"]).lower(): each["version"].partition("+")[0]
        for each in json.loads(sbom)["components"]
    }


def cpu_wheels() -> str | None:
    """Pip's find-links, where they have torch for CPUs."""
    links = os.environ.get("PIP_FIND_LINKS") or make_variable("FIND_LINKS")
    return links if links and any(Path(links).glob("torch-*+cpu*")) else None


def make_variable(name: str) -> str:
    """As the Makefile has it."""
    return make(f"--eval=print:\n\t@echo '$({name})'", "print").stdout.strip()


def make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it in the repository, knowing nothing of a make that runs the tests."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", "--silent", *arguments]
    return subprocess.run(command, cwd=ROOT, env=kept | variables, capture_output=True, text=True, check=False)
