"""The gradebook of a class: the runs of its students, each against what its lab expects and what was handed out."""
