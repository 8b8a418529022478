"""Jobs and what they share, with the real libraries on small models.

The same fingerprint must give the same losses, and what was interrupted must go on to the same end. Tests of a minute
and more are marked `slow`.
"""
