"""What language-model jobs share: bases, data, packing, checkpoints, measures."""
