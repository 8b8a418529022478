"""The end of a class: all of it taken away with a proof, its ledger settled, and the course closed by its bill.

`down.py` is the order of things: the gate closed, machines ended, the stack taken down, the account looked through
again, the ledger settled, and all of it written as a proof. `final.py` closes the course once its bill has come.
"""
