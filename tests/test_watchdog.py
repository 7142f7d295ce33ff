"""A call of the client library that never comes back ends its process, and nothing else does."""

import signal
import subprocess
import sys
import time

from hub.kafka import watchdog

SCRIPT = """
import logging, os, signal, time
from hub.kafka import watchdog
logging.basicConfig(format="%(message)s")
watchdog._TICK_S = 0.02
dog = watchdog.Watchdog("hub-process-bulk-one")
"""


def run(rest: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT + rest],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_call_that_does_not_come_back_ends_the_process_and_says_which_it_was():
    process = run("with dog.watch('adding offsets', 0.1):\n    time.sleep(60)\n")
    out, told = process.communicate(timeout=50)
    assert process.returncode == watchdog.EXIT_CODE, out + told
    assert "hub-process-bulk-one: adding offsets hangs; this process ends" in told


def test_calls_that_come_back_and_whatever_lies_between_them_end_nothing():
    rest = "for _ in range(40):\n    with dog.watch('committing', 0.1):\n        time.sleep(0.01)\n"
    process = run(rest + "time.sleep(0.5)\ndog.close()\nprint('done')\n")
    assert process.communicate(timeout=50) == ("done\n", "")
    assert process.returncode == 0


def test_a_process_that_was_stopped_itself_is_not_ended_for_that():
    rest = "with dog.watch('committing', 1.0):\n    print('now', flush=True)\n    time.sleep(0.3)\n"
    process = run(rest + "print('done')\n")
    assert process.stdout is not None
    assert process.stdout.readline() == "now\n"
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.5)
    process.send_signal(signal.SIGCONT)
    out, told = process.communicate(timeout=50)
    assert (out, told, process.returncode) == ("done\n", "", 0)
