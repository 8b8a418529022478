"""Container images of other people's registries: which, by which digest, and who verified it."""
