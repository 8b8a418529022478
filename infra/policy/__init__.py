"""What a stack must keep to before Pulumi makes anything of it: a CrossGuard policy pack.

Each rule is a function (`rule.py`) that says what is wrong with a resource or a stack: tags and leases, who may come
in, what is encrypted, what machines cost. `pack.py` has them by name, and `settings.py` what the class agreed to.
"""
