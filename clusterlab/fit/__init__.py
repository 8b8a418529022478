"""Whether a model fits: shapes, bytes per GPU by formula, and the strategies that split them.

`memory.py` and `speed.py` are the formulas with their papers, `strategies.py` the ways to split a training, and
`plan.py` lists those that fit some GPUs, the cheapest first. `rule.py` is where `clusterlab check` asks it for a lab.
"""
