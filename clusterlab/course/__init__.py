"""A class as its instructor provisions it: SkyPilot's configuration, and the stack behind it."""
