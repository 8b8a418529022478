"""The pages: every command that they have people type is one, and every link leads somewhere.

`commands.py` reads `clusterlab ...` out of fenced blocks and inline code, and asks the command line's own parser.
"""
