"""What a stack must keep to before Pulumi makes anything of it: a CrossGuard policy pack."""
