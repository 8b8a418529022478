"""What things cost: amounts, totals that may be incomplete, and intervals of use."""
