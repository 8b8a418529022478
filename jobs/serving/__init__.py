"""A model behind a port: engines of one setting, a server's process from start to drain, and its endpoint.

`engine.py` says what an engine is, and `vllm.py`, `ray_serve.py`, `tgi.py` and `transformers.py` are those that there
are; `server.py` starts one and drains it, `protocol.py` proves what it makes of bad requests, and `agreement.py` that
it serves the model that it was given. The protocols that the project speaks itself are `openai_protocol.py` and
`tgi_protocol.py`.
"""
