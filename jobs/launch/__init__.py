"""How a job comes to run: the embedded Ray, the entrypoint on the node, and the folder of the run."""
