"""Models that are asked about pictures: LLaVA-NeXT, its tiles and their tokens, and whether it looks.

`tiling.py` says how many tokens a picture takes and `counting.py` what the model counts; `scenes.py` draws pictures and
`questions.py` asks about them. `learner.py` trains a small model on them; `views.py` says what a model is shown, and
`here.py` and `there.py` have it answered by transformers or behind a port.
"""
