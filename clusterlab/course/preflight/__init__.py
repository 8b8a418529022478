"""A class looked over before it begins: what would stop it in its first hour is told now.

Each file is one subject and yields checks (`check.py`): PASS, WARN or FAIL, what was seen and what to do.
`everything.py` has them in the order in which they are mended. What could not be asked is a WARN with its reason, and
never a PASS.
"""
