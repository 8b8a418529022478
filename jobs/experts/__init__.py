"""Specialised models, and a controller that plans a request and routes each step to one of them.

`requests.py` makes requests with their right plans, `plan.py` says what a plan is, and `controllers.py` has those who
make one. The models (`specialist.py`, trained by `training.py`) stand behind Ray Serve (`application.py`,
`expert_server.py`); `routing.py` judges a request from its plan to its answers.
"""
