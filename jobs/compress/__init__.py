"""Quantize a model by many methods, and measure what each saves and costs.

`methods.py` has every method by name with the environment that its libraries need; `sweep.py` runs each in a process of
that, and `measure.py` measures all alike: bits (`size.py`), quality (`quality.py`), speed (`speed.py`). The methods
that the project writes itself are here too: `rtn.py`, `int8.py`, `smooth.py`, `fake_quant.py`.
"""
