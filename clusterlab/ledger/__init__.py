"""The ledger: what is reserved, used and settled, in a SQL database to which rows are only ever added."""
