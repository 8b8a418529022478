"""Put load on a server of OpenAI's protocol, and say what it answered and when.

`loops.py` has the closed and the open loop, `client.py` one request with one outcome, and `summary.py` what they amount
to: throughput, percentiles, errors by kind, and goodput under an SLO.
"""
