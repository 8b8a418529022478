"""What jobs about collectives share: a group of workers over the nodes, and the picture of what they measured."""
