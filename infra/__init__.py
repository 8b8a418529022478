"""The Pulumi program of the class infrastructure; its components arrive with the infrastructure work."""
