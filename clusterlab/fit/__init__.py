"""Whether a model fits: shapes, bytes per GPU by formula, and the strategies that split them."""
