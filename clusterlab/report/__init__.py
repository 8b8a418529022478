"""The report: results of runs against what their labs expect, and what a course costs, as tables and as one page."""
