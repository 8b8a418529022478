"""Google Cloud as a class's verbs look through it: Compute Engine's REST API, by the standard library alone."""
