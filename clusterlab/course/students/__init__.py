"""The whole bring-up of a class, step by step: its stack, its budgets, and what each student gets.

`bring_up.py` has the steps in order, each of which looks what is there and does what is missing, so that the same
command goes on after any accident. A student gets a key, an identity, a token and a welcome sheet, one file here each.
"""
