"""What a class stands on in Google Cloud, one component a file."""
