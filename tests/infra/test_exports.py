"""What a class's stack exports is what SkyPilot's configuration is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from clusterlab.cluster import Cluster
from clusterlab.course.config import CLOUDS, skypilot_config
from tests.clusterlab.course.test_config import config_schema
from tests.infra.test_stack import CLASSES, graph_of


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return config_schema(tmp_path_factory.mktemp("sky"))


@pytest.mark.parametrize("path", CLASSES, ids=lambda path: path.stem)
def test_skypilot_takes_what_the_stack_of_a_class_exports(path: Path, schema: Any) -> None:
    cluster, exports = Cluster.load(path, to_provision=True), graph_of(path).exports
    config = skypilot_config(exports)
    jsonschema.validate(config, schema)
    assert [cloud for cloud in CLOUDS if cloud in config] == [cloud for cloud in CLOUDS if cluster.regions(cloud)]
    assert config["aws"]["vpc_name"] == f"clusterlab-{cluster.course}-network"
    assert all(config[cloud]["labels"] == {"course": cluster.course} for cloud in CLOUDS if cloud in config)
