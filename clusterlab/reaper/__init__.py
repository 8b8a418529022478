"""The reaper: what a course left in a cloud account beyond its lease is warned of, stopped, and ended, with a proof."""
