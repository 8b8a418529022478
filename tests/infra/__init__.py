"""The Pulumi program, without Pulumi's engine and without a cloud.

Stacks are made with mocks and held against golden ones, applied to moto and looked at by boto3, and their IAM documents
are asked of an evaluator that is not ours (`iam/`).
"""
