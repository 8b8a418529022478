"""What the lab of mixtures of experts needs beside the training itself: its text, where tokens went, and a picture.

`routing.py` counts which experts the tokens went to and `text.py` knows of what kind they are; the model and the engine
with each rank's own experts are `jobs/parallel/mixtral.py` and `jobs/parallel/experts.py`.
"""
