"""Container images of other people's registries: which, by which digest, and who verified it.

`images/images.yaml` is the list and `image.py` reads it; `resolve.py` asks registries for digests, `pin.py` writes them
down with the day, and `rule.py` is where `clusterlab check` holds a lab to them.
"""
