"""What a class stands on in AWS, one component a file.

Each is a `ComponentResource` with frozen arguments, and makes nothing beyond its subject. What roles may do is written
as plain dictionaries in `statements*.py`, so that tests ask an evaluator of IAM about them without any cloud.
"""
