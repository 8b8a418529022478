from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.errors import InputError
from clusterlab.job import Job, job_names
from tests.clusterlab.conftest import ROOT


def test_jobs_were_found() -> None:
    assert "qlora" in job_names(ROOT)


@pytest.mark.parametrize("name", job_names(ROOT))
def test_each_job_loads_without_its_heavy_libraries(name: str) -> None:
    assert Job.load(name, root=ROOT).config_type.__name__ == "Config"


def test_a_job_runs(house: Path) -> None:
    job = Job.load("toy", root=house)
    assert job.main(job.config_type(scale="tiny", model="made", steps=1)) == {"loss": 1.0}


def test_an_unknown_job_names_the_nearest(house: Path) -> None:
    with pytest.raises(InputError, match="job: no job 'tov'; did you mean toy\\? allowed: toy"):
        Job.load("tov", root=house)


@pytest.mark.parametrize("name", ["submit", "__init__", "../labs/toy", ""])
def test_what_is_no_job_is_refused(house: Path, name: str) -> None:
    (house / "jobs" / "submit.py").touch()
    with pytest.raises(InputError, match="no job"):
        Job.load(name, root=house)


def test_a_module_without_main_is_refused(house: Path) -> None:
    (house / "jobs" / "half.py").write_text("class Config: pass\n")
    with pytest.raises(InputError, match=r"jobs/half.py: a job has a dataclass Config and a function main"):
        Job.load("half", root=house)


@pytest.mark.parametrize("module", ["jobs.launch.folder", "numpy_of_mine"])
def test_a_job_that_needs_what_is_not_here_is_refused_by_name(house: Path, module: str) -> None:
    (house / "jobs" / "half.py").write_text(f"import {module}\n")
    missing = "jobs.launch" if module.startswith("jobs") else module
    with pytest.raises(InputError, match=rf"labs/half.yaml: jobs/half.py needs {missing}, which is not here; allowed:"):
        Job.load("half", root=house, path="labs/half.yaml")


def test_without_jobs_it_is_said_that_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no job 'toy'; allowed: none, since there is no jobs/ here"):
        Job.load("toy", root=tmp_path)


def test_a_job_that_another_package_hides_is_told_how_to_come_first(
    house: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other") / "jobs"
    other.mkdir()
    (other / "__init__.py").touch()
    monkeypatch.syspath_prepend(other.parent)
    (house / "jobs" / "__init__.py").unlink()
    with pytest.raises(InputError, match=rf"job: jobs/toy.py is hidden by {other}; allowed: a jobs/__init__.py beside"):
        Job.load("toy", root=house)
