"""The library and its command, where neither torch nor ray can be imported.

Most begin with `house` of `conftest.py`: a small repository with one lab, one job and one class, which a test spoils
and looks at again. Real SQLite, PostgreSQL, moto and SkyPilot stand for what the library talks to.
"""
