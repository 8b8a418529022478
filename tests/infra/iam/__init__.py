"""What each role of a class can do, shown by an evaluator of IAM documents that is not ours."""
