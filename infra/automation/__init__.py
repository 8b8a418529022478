"""Pulumi, driven by its Automation API: what `clusterlab class` asks of it, in a process of its own."""
