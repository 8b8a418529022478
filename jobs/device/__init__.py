"""A model on a device without a GPU: how fast one stream writes, what memory it takes, and what energy.

`study.py` says which cases are read, and `case.py` is one of them: an engine with one file and one number of threads,
which a process of its own reads, `by_llamacpp.py` in llama.cpp's environment, `by_pytorch.py` in the jobs'. Both do
it by `reading.py`, so that their numbers can be compared.
"""
