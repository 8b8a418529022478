"""What only a GPU can show: `make test-gpu`, skipped where there is none.

They train by every engine of `jobs/parallel` on one GPU, hold the losses against golden ones of CUDA, and keep the
speed that they saw in `tests/golden/speed`.
"""
