"""Quantize a model by many methods, and measure what each saves and costs."""
