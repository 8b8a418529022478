"""Budgets while machines run: who comes near a cap is told, and whose cap is spent has machines stopped and ended."""
