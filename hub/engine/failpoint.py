"""Named points where a test may kill the process: `HUB_FAILPOINT=after-produce:3`.

The third passage of that point ends the process with SIGKILL, as a power cut would. Unset, a
passage costs one comparison.
"""

import os
import signal

__all__ = ["NAMES", "passing"]

NAMES = (
    "before-produce",
    "after-produce",
    "before-commit",
    "after-commit",
    "in-revoke",
    "in-restore",
    "after-restore",
    "before-mark",
)
_point, _, _count = os.environ.get("HUB_FAILPOINT", "").partition(":")
_left = int(_count or 1)


def passing(name: str) -> None:
    """Die here, when a test asked for it."""
    if _point and name == _point:
        global _left  # noqa: PLW0603 - a countdown of this process
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
