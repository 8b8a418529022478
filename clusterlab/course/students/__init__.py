"""The whole bring-up of a class, step by step: its stack, its budgets, and what each student gets."""
