"""What jobs about collectives share: a group of workers over the nodes, and the picture of what they measured.

`group.py` makes a torch process group of Ray actors, spread evenly over the nodes; training on several workers stands
on it too.
"""
