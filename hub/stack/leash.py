"""Becomes the command in its arguments, which then dies with the process that started this.

Run as `python leash.py PARENT_PID COMMAND...`. A separate program and not a `preexec_fn`: code
between fork and exec may deadlock in a process with threads. Linux only; elsewhere the pid files
let the next start find what was left.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent = int(sys.argv[1])
    if sys.platform == "linux":
        import ctypes

        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
            sys.exit(f"leash: prctl failed: {os.strerror(ctypes.get_errno())}")
    # The parent may have died before the signal was armed.
    if os.getppid() != parent:
        sys.exit("leash: the parent is gone")
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - becoming the command is the purpose
