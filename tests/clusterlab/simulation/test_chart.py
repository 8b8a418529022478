from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from xml.etree import ElementTree as ET

from clusterlab.simulation.chart import svg
from tests.clusterlab.simulation.conftest import Begin
from tests.needs import needs_skypilot

DIGIT = 7
"""Pixels, about, of a figure in 12 pixels."""


@needs_skypilot
def test_a_course_of_millions_has_its_amounts_within_the_drawing(begin: Begin) -> None:
    drawing = ET.fromstring(svg(replace(begin((3, 1, 1), minutes=120).run(), cap_usd=Decimal(2_956_239))))
    amounts = [text for text in drawing.findall(".//{*}text") if text.get("text-anchor") == "end"]
    assert [text.text for text in amounts][-1] == "4,000,000"
    assert all(float(text.attrib["x"]) >= DIGIT * len(str(text.text)) for text in amounts)
