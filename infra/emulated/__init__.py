"""The Pulumi program applied to an emulated AWS account by boto3, with no Pulumi engine.

`apply.py` runs the program with mocks that make each resource in moto, one file a service; `state.py` keeps what was
made, as an engine's state does. What moto cannot make is said in the file that would.
"""
