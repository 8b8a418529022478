"""Memory for keys and values: bytes a token, allocators over recorded lengths, and prefixes that a server keeps."""
