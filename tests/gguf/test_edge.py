from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.config import parse
from jobs import edge
from jobs.device.case import LLAMACPP, Case
from jobs.edge import Config, _work
from jobs.launch.environments import ProcessFailedError
from jobs.launch.folder import VARIABLE
from jobs.llm.pretrain import TinyLlama

SMALL = TinyLlama(
    hidden_size=256, intermediate_size=512, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=4
)
GIVEN = {"SCALE": "tiny", "THREADS": "1", "NEW_TOKENS": "8"}


@pytest.fixture(scope="module")
def metrics(python: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """A run at `tiny` with a smaller model."""
    del python
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(tmp_path_factory.mktemp("run")))
        patch.setattr(edge, "LARGE", SMALL)
        return _work(parse(Config, GIVEN))


def test_both_engines_write_the_same(metrics: dict[str, float]) -> None:
    assert metrics["agreement"] == 1


def test_a_copied_file_is_memory_of_the_process_and_a_mapped_one_is_not(metrics: dict[str, float]) -> None:
    size = metrics["disk_mib_q8_0"]
    assert metrics["private_mib_q8_0_copied"] - metrics["private_mib_q8_0"] == pytest.approx(size, rel=0.2)
    assert metrics["mapped_mib_q8_0"] - metrics["mapped_mib_q8_0_copied"] == pytest.approx(size, rel=0.2)


def test_a_file_that_is_none_is_an_error(python: str, tmp_path: Path) -> None:
    del python
    (tmp_path / "broken.gguf").write_text("no weights")
    case = Case(
        engine=LLAMACPP,
        model=str(tmp_path / "broken.gguf"),
        form="F16",
        num_threads=1,
        mapped=True,
        prompt=[1],
        new_tokens=1,
    )
    with pytest.raises(ProcessFailedError, match=r"broken\.gguf"):
        case.read(tmp_path, seconds=60)
