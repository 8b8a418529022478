"""What a class stands on in AWS, one component a file."""
