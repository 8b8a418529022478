"""Ask a model the same questions in its own precision and quantized, and measure which answers move, and for whom.

`question.py` has what is asked, from three sources: a world that is made up (`world.py`, with the model that is trained
on its texts, `witness.py`), shipped scenes (`scenes.py`), and BBQ's files (`bbq.py`). `answers.py` asks, `findings.py`
says what changed, and `sheet.py` how that is counted.
"""
