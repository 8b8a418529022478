from __future__ import annotations

import dataclasses
import fcntl
import json
import shlex
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlab.errors import ClusterlabError
from clusterlab.run import METRICS, RECORD, Asked, Run, Status, find_runs
from jobs.launch.cluster import Cluster
from jobs.launch.embedded import Embedded, embedded_ray
from jobs.submit import _fetch_record, _raise_failure
from tests.repository import MARK, copy_repository, marked, no_process_left, wait_until

TAGS = "course=llm-2026,lab=echo,student=ana"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """A Ray head that stands for the class's cluster; the repository is elsewhere."""
    elsewhere = tmp_path_factory.mktemp("cluster")
    with embedded_ray(root=elsewhere, log=elsewhere / "ray.log") as head:
        yield head


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """For our own Ray; whatever is started with it must be gone at the end."""
    mark = uuid.uuid4().hex
    with no_process_left(mark) as environment:
        runs = {"SCALE": "tiny", "CLUSTERLAB_RUNS": str(tmp_path / "runs"), "CLUSTERLAB_TAGS": TAGS}
        yield environment | {"TMPDIR": _temporary(tmp_path)} | runs


@pytest.fixture
def on_cluster(environment: dict[str, str], head: Embedded) -> dict[str, str]:
    """For the class's cluster."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(head.token_path)}
    return environment | token | {"RAY_ADDRESS": head.address}


def _temporary(tmp_path: Path) -> str:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return str(folder)


def _start(repository: Path, environment: dict[str, str], job: str = "echo") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "jobs.submit", job]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=repository, env=environment, stdout=pipe, stderr=pipe, text=True)


def _submit(repository: Path, environment: dict[str, str], job: str = "echo") -> tuple[int, str, str]:
    process = _start(repository, environment, job)
    output, errors = process.communicate()
    return process.returncode, output, errors


def _wait_for_steps(process: subprocess.Popen[str], environment: dict[str, str], *, attempts: int = 1) -> None:
    """Wait until the job is at work for the so-manieth time, as long as its submission lives."""

    def at_work() -> bool:
        assert process.poll() is None, process.communicate()
        found = list(find_runs(Path(environment["CLUSTERLAB_RUNS"])))
        return any(run.provenance["attempts"] == attempts and (folder / METRICS).exists() for folder, run in found)

    wait_until(at_work)


def _only_run(environment: dict[str, str]) -> tuple[Path, Run]:
    [found] = find_runs(Path(environment["CLUSTERLAB_RUNS"]))
    return found


def test_the_class_cluster_runs_what_was_asked_for(
    repository: Path, on_cluster: dict[str, str], head: Embedded
) -> None:
    code, output, _ = _submit(repository, on_cluster | {"WORD": "it's me", "CLUSTERLAB_USD_PER_HOUR": "0"})
    folder, run = _only_run(on_cluster)
    assert (code, run.status, run.metrics) == (0, Status.SUCCEEDED, {"said": 3.0, "first": 0})
    assert run.tags == {"course": "llm-2026", "lab": "echo", "student": "ana"}
    assert run.fingerprint == run.asked.fingerprint
    assert run.cost_usd == "0.000000"
    assert "it's me 3" in output
    assert json.loads(output.splitlines()[-1]) == json.loads((folder / RECORD).read_text())

    client = Cluster.connect(head.address, seconds=20, headers=head.headers).client
    [details] = [job for job in client.list_jobs() if job.metadata["fingerprint"] == run.fingerprint]
    assert details.metadata == run.tags | {"fingerprint": run.fingerprint}
    flags = shlex.split(details.entrypoint)[6:]
    assert flags == ["--scale=tiny", "--steps=3", "--pause-seconds=0.0", "--word=it's me", "--ending="]


def test_a_node_gets_the_code_and_no_junk(repository: Path, on_cluster: dict[str, str]) -> None:
    for junk in (".venv", ".git", "runs", ".cache"):
        (repository / junk).mkdir(exist_ok=True)
        (repository / junk / "file").touch()
    _, output, _ = _submit(repository, on_cluster)
    [listing] = [line for line in output.splitlines() if line.startswith("in ")]
    assert set(listing.split()[1:]) == {"clusterlab", "images", "jobs", "labs"}


def test_a_record_that_the_node_wrote_on_its_own_disk_is_fetched(
    repository: Path, on_cluster: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    code = f"""
import sys
from pathlib import Path
from clusterlab import request
import jobs.submit

entrypoint = request.Request.entrypoint
elsewhere = Path({str(repository)!r}, "disk of the node")
request.Request.entrypoint = lambda self, folder, python: entrypoint(self, elsewhere, python=python)
sys.exit(jobs.submit.main(["echo"]))
"""
    assert subprocess.run([sys.executable, "-c", code], env=on_cluster, check=False).returncode == 0
    assert _only_run(on_cluster)[1].metrics["said"] == 3


@pytest.mark.parametrize(
    ("ending", "code", "error"),
    [("value", 1, "ValueError: a defect"), ("input", 2, "InputError: WORD: nobody says that")],
)
def test_a_failing_job_fails_the_submission(
    repository: Path, on_cluster: dict[str, str], ending: str, code: int, error: str
) -> None:
    returned, _, errors = _submit(repository, on_cluster | {"ENDING": ending})
    folder, run = _only_run(on_cluster)
    assert (returned, run.status, run.error) == (code, Status.FAILED, error)
    assert f"jobs.echo: failed: {error}; {folder} has its record" in errors


def test_an_interrupt_stops_the_job_on_the_cluster(
    repository: Path, on_cluster: dict[str, str], head: Embedded
) -> None:
    process = _start(repository, on_cluster | {"PAUSE_SECONDS": "60"})
    _wait_for_steps(process, on_cluster)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    _, run = _only_run(on_cluster)
    assert (process.returncode, run.status) == (130, Status.STOPPED)
    client = Cluster.connect(head.address, seconds=20, headers=head.headers).client
    [details] = [job for job in client.list_jobs() if job.metadata["fingerprint"] == run.fingerprint]
    assert details.status == "STOPPED"


def test_a_killed_and_an_interrupted_submission_leave_nothing_and_are_gone_on_with(
    repository: Path, environment: dict[str, str], head: Embedded
) -> None:
    """With our own Ray, beside that of the class."""
    slow = environment | {"STEPS": "5", "PAUSE_SECONDS": "1.5"}
    process = _start(repository, slow)
    _wait_for_steps(process, slow)
    assert len(marked(slow[MARK])) > 5
    process.kill()
    process.communicate()
    wait_until(lambda: not marked(slow[MARK]))
    folder, killed = _only_run(slow)
    assert killed.status is Status.RUNNING
    assert list(Path(slow["TMPDIR"]).iterdir()) == []

    process = _start(repository, slow)
    _wait_for_steps(process, slow, attempts=2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "goes on from its last checkpoint" in errors
    assert marked(slow[MARK]) == []
    assert Run.load(folder).status is Status.STOPPED

    assert _submit(repository, slow)[0] == 0
    _, run = _only_run(slow)
    assert (run.status, run.run_id, run.provenance["attempts"]) == (Status.SUCCEEDED, killed.run_id, 3)
    assert run.metrics["first"] >= 1
    assert list(Path(slow["TMPDIR"]).iterdir()) == []
    assert Cluster.connect(head.address, seconds=20, headers=head.headers)


@pytest.mark.parametrize(
    ("wrong", "code", "message"),
    [
        ({"STEPS": "many"}, 2, "environment: STEPS: 'many': allowed: a whole number"),
        ({"SCALE": "huge"}, 2, "environment: SCALE: 'huge': allowed: tiny, small, single, full"),
        ({"CLUSTERLAB_TAGS": "course=X"}, 2, "tags: lab: missing"),
        ({"CLUSTERLAB_USD_PER_HOUR": "cheap"}, 2, "CLUSTERLAB_USD_PER_HOUR: 'cheap'; allowed: dollars an hour"),
        ({"CLUSTERLAB_RAY_TIMEOUT": "soon"}, 2, "CLUSTERLAB_RAY_TIMEOUT: 'soon'; allowed: seconds above 0"),
        ({"RAY_ADDRESS": "auto"}, 2, "RAY_ADDRESS: 'auto'; allowed: http://host:port"),
        ({"CLUSTERLAB_RUNS": "/dev/null/runs"}, 5, "/dev/null/runs/echo"),
        ({"CLUSTERLAB_RUN_DIR": "/proc/none"}, 5, "/proc/none: cannot be written"),
    ],
)
def test_bad_input_is_one_clear_error_before_anything_starts(
    repository: Path, environment: dict[str, str], wrong: dict[str, str], code: int, message: str
) -> None:
    returned, output, errors = _submit(repository, environment | wrong)
    assert (returned, output) == (code, "")
    assert message in errors
    assert "Traceback" not in errors
    assert list(Path(environment["TMPDIR"]).iterdir()) == []


def test_an_unknown_job_names_the_nearest(repository: Path, environment: dict[str, str]) -> None:
    returned, _, errors = _submit(repository, environment, job="ecko")
    assert returned == 2
    assert errors.startswith("job: no job 'ecko'; did you mean echo?")


def test_an_address_that_does_not_answer_is_given_up(repository: Path, environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        limits = {"RAY_ADDRESS": address, "CLUSTERLAB_RAY_TIMEOUT": "1"}
        returned, _, errors = _submit(repository, environment | limits)
    assert returned == 4
    assert errors.startswith(f"RAY_ADDRESS: http://{address}: did not answer within 1 s")
    assert not [path for path in Path(environment["CLUSTERLAB_RUNS"]).rglob("*") if path.is_file()]


def test_a_folder_that_another_run_uses_is_left_alone(
    repository: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        returned, _, errors = _submit(repository, environment | {"CLUSTERLAB_RUN_DIR": str(tmp_path)})
    assert returned == 5
    assert "another run is using it" in errors
    assert not (tmp_path / RECORD).exists()


def test_a_record_comes_back_though_a_worker_spoke_after_it(tmp_path: Path) -> None:
    asked = Asked(lab="echo", job="echo", config={}, code="c", lock="l", revisions={})
    record = Run(
        run_id="r", fingerprint=asked.fingerprint, asked=asked, tags={}, status=Status.SUCCEEDED, started="2026-11-25"
    )
    output = f"hello 1\n{json.dumps(dataclasses.asdict(record))}\n(_Worker pid=5) a warning, late\n[1]\n"
    _fetch_record(tmp_path, asked, output)
    assert Run.load(tmp_path) == record


def test_a_job_that_ends_well_without_a_record_is_an_error(tmp_path: Path) -> None:
    class Details:
        status = "SUCCEEDED"

    with pytest.raises(ClusterlabError, match="its record did not come back"):
        _raise_failure("echo", Details(), tmp_path)
