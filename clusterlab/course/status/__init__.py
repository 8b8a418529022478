"""A class while it goes on: what runs, what it costs, whose it is, and what needs somebody."""
