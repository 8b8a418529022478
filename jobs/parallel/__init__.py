"""What the labs of distributed training share: one model, one token stream, one loop, and checkpoints of many ranks."""
