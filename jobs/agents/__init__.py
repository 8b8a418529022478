"""An agent: a graph of a policy, a guard and tools, a sandbox for code, tasks with answers, and attacks on it."""
