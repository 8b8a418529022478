"""Pulumi, driven by its Automation API: what `clusterlab class` asks of it, in a process of its own.

`verbs.py` has what can be done with a stack, and each tells what happens as lines of JSON, which
`clusterlab.course.events` reads; so the control plane needs no Pulumi. `state.py` says what a killed update left.
"""
