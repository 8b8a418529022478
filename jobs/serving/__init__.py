"""A model behind a port: engines of one setting, a server's process from start to drain, and its endpoint."""
