"""Dockerfiles and what machines install, without building them.

Locks, digests and install scripts are read as their tools read them, and Packer checks the image of a node.
"""
