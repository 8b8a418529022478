"""The Pulumi program of a class: what `clusters/<course>.yaml` says, as networks, roles, storage, a server and budgets.

`stack.py` puts it together of components, `aws/` and `gcp/`, one a file; `on_aws.py` and `on_gcp.py` wire them, and
names and tags come from `naming.py` alone. `policy/` judges a stack before anything is made of it, `automation/` drives
Pulumi for `clusterlab class`, and `emulated/` makes the same program in moto, for tests and rehearsals.
"""
