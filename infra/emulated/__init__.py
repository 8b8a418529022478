"""The Pulumi program applied to an emulated AWS account by boto3, with no Pulumi engine."""
