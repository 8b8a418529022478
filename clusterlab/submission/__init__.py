"""A lab as a job on the class's shared cluster: packed, queued by fair share, followed, and its results fetched."""
