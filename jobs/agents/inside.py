"""What runs in the sandbox before anything else: sets the limits, and then runs code on values.

Its text is given to an interpreter that has the standard library and nothing of this project; it reads the code, its
values and the limits from standard input.
"""

import json
import resource
import sys


def main() -> None:
    """Run the code that standard input has; `inputs` are its values."""
    asked = json.loads(sys.stdin.buffer.read())
    for name, most in asked["limits"].items():
        resource.setrlimit(getattr(resource, name), (most, most))
    # It is how a tool runs code; around it is the sandbox.
    exec(compile(asked["code"], "<code>", "exec"), {"__name__": "__main__", "inputs": asked["inputs"]})  # noqa: S102


if __name__ == "__main__":
    main()
