"""What runs on the nodes: each module here, `submit` apart, is a job with exactly `Config` and `main`.

`jobs.launch` brings a job to run; `jobs.llm` is what language-model jobs share.
"""
