"""What runs on the nodes: each module here, `submit` apart, is a job with exactly `Config` and `main`.

`jobs.launch` brings a job to run, on this machine, on several nodes or on the class's cluster. What jobs of one subject
share has a package beside them: `llm` for language models, `tuning`, `compress`, `parallel`, `serving` and so on. None
of them knows `infra`, and no job mentions cost, tags or files of results.
"""
