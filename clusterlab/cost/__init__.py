"""What things cost: amounts, totals that may be incomplete, and intervals of use.

`money.py` has dollars as Decimal and how they are shared out, `total.py` a sum of which a part may be unknown, and
`interval.py` one resource used by somebody for a while. `figure.py` prices hours on a machine, which `plan.py` beside
this folder calls; `class_plan.py` does it for a whole roster. The rest reads price lists into the catalog.
"""
