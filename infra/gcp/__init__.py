"""Components of Google Cloud, and what its labels may be."""
