"""The end of a class: all of it taken away with a proof, its ledger settled, and the course closed by its bill."""
