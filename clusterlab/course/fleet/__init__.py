"""The class's clusters: up before the class meets, several at once, and taken in after it."""
