"""Ways to fine-tune a base: adapters of every kind and all weights, what each trains, and what that takes."""
