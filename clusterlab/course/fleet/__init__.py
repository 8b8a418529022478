"""The class's clusters: up before the class meets, several at once, and taken in after it.

`want.py` says from the class's file which clusters there should be, `fleet.py` brings up those that are missing, and
`crew.py` does it side by side, so that the failure of one stops no other. `skypilot.py` alone talks to SkyPilot.
"""
