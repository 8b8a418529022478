from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from jobs.versus.picture import draw
from jobs.versus.price import Price
from jobs.versus.table import markdown, online_metrics

PRICE = Price(usd_per_hour=Decimal("3.6"), source="made up")


def test_metrics_name_server_and_load(servers: dict[str, Any]) -> None:
    metrics = online_metrics(servers, PRICE)
    assert metrics["tokens_per_second_vllm_at_8"] == 1000
    assert metrics["usd_per_million_tokens_vllm_at_8"] == 1
    assert metrics["usd_per_million_tokens_one_by_one_at_8"] == 10
    assert metrics["ttft_p50_ms_static_at_1"] == 16
    assert metrics["tpot_p99_ms_static_at_1"] == 32
    assert metrics["gain_online_static_at_32"] == 2
    assert metrics["gain_online_one_by_one_at_32"] == 10
    assert metrics["memory_mib_vllm"] == 1234.5


def test_answers_of_one_token_have_no_time_between_tokens(servers: dict[str, Any]) -> None:
    servers["vllm"]["loads"][0]["tpot"] = None
    assert "tpot_p50_ms_vllm_at_1" not in online_metrics(servers, PRICE)


def test_a_table_has_a_line_for_each_server_and_load_and_says_how_each_batches(
    servers: dict[str, Any], offline: dict[str, Any]
) -> None:
    table = markdown(servers, offline, PRICE)
    assert "Dollars: 3.6 an hour, made up." in table
    line = "| vLLM, continuous batching, 4 bits | 8 | 1,000 | 8.0 | 16.0 | 8.0 | 16.0 | 1.0000 | 1,234 |"
    assert line in table.splitlines()
    assert "| transformers, static batches | 500 | 500 |" in table.splitlines()
    assert sum(text.startswith("| transformers, one by one |") for text in table.splitlines()) == 4
    rows = [text.count("|") for text in table.splitlines() if text.startswith("|")]
    assert rows == [10] * 11 + [4] * 5


def test_all_of_it_is_one_picture(servers: dict[str, Any], offline: dict[str, Any], tmp_path: Path) -> None:
    draw(offline, servers, "made up", tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
