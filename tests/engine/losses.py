"""`python losses.py NAME WORDS…`: the hub's command with one line of the loop that loses something.

Each happens once, at the first record it can, and tells on standard error what it hit.
"""

import sys
import uuid
from collections.abc import Callable, Mapping

import hub.engine.books
from hub.cli import main
from hub.dead_letter import TOPIC as DEAD_LETTERS
from hub.normalise import Normalise
from hub.process import Process

PLATES, POLICE = "camera.plate_read.v1", "police.plate_read.v1"
# For what comes twice: deliveries of a noun, source and minute are one sum, so one more of plate
# reads and one less in the same minute would be a sum that is right.
HTMOC = "htmoc.signal_state.v1"
# Late enough for rows before and behind it.
AFTER = 5


class Once:
    """Says yes once, after having been asked some times."""

    def __init__(self, after=AFTER):
        self.left = after

    def __call__(self):
        self.left -= 1
        return self.left == 0


def told(what):
    print(f"LOST {what}.", file=sys.stderr, flush=True)


def event(value):
    return f"event {uuid.UUID(bytes=value[5:21])}"


def changing(task, method, write: Callable) -> None:
    """Let `write(produce, topic, value, …)` stand for what a task's method writes with."""
    original = getattr(task, method)

    def changed(self, partition, given, produce):
        def writing(topic, value, *rest, **more):
            write(produce, given, topic, value, *rest, **more)

        original(self, partition, given, writing)

    setattr(task, method, changed)


def process_skips_a_record():
    once, handle = Once(), Process.handle

    def changed(self, partition, messages, produce):
        new = [each for each in messages if each.value()[5:21] not in seen]
        seen.update(each.value()[5:21] for each in messages)
        if partition.topic == PLATES and new and once():
            told(event(new[0].value()))
            messages = [each for each in messages if each is not new[0]]
        if messages:
            handle(self, partition, messages, produce)

    seen = set()
    Process.handle = changed


def process_does_not_deliver():
    once = Once()

    def write(produce, _given, topic, value, *rest, **more):
        if topic == POLICE and once():
            told(f"{event(value)} … is not on {POLICE}")
            return
        produce(topic, value, *rest, **more)

    changing(Process, "handle", write)


def process_delivers_twice():
    once = Once()

    def write(produce, _given, topic, value, *rest, **more):
        produce(topic, value, *rest, **more)
        if topic == HTMOC and once():
            told(f"{event(value)} is 2 times on {HTMOC}")
            produce(topic, value, *rest, **more)

    changing(Process, "handle", write)


def normalise_does_not_write():
    once = Once()

    def write(produce, raw, topic, value, *rest, **more):
        if topic == PLATES and once():
            told(f"(offset {raw.offset})")
            return
        produce(topic, value, *rest, **more)

    changing(Normalise, "_one", write)


def normalise_skips_a_payload():
    once, one = Once(), Normalise._one

    def changed(self, partition, raw, produce):
        if once():
            told(f"(offset {raw.offset})")
        else:
            one(self, partition, raw, produce)

    Normalise._one = changed


def normalise_keeps_no_dead_letter():
    once = Once(1)

    def write(produce, raw, topic, value, *rest, **more):
        if topic == DEAD_LETTERS and once():
            told(f"dead letters of {raw.topic}/{raw.partition}")
            return
        produce(topic, value, *rest, **more)

    changing(Normalise, "_one", write)


def books_miss_a_row():
    once, write = Once(), hub.engine.books.Books.write

    def changed(self, spans: Mapping, counts, produce):
        handled = [each for each, span in spans.items() if any(counts[each])]
        if handled and once():
            lost = handled[0]
            told(f"no row explains {lost.topic}/{lost.number} offset {spans[lost].from_} (")
            spans = {each: span for each, span in spans.items() if each != lost}
        write(self, spans, counts, produce)

    hub.engine.books.Books.write = changed


def books_hold_a_row_twice():
    once, write = Once(), hub.engine.books.Books.write

    def changed(self, spans, counts, produce):
        write(self, spans, counts, produce)
        handled = [each for each, span in spans.items() if any(counts[each])]
        if handled and once():
            twice = handled[0]
            first, after = spans[twice]
            told(f"{twice.topic}/{twice.number} offsets {first} to {after} are in two rows")
            write(self, {twice: spans[twice]}, counts, produce)

    hub.engine.books.Books.write = changed


LOSSES = {
    "process": [
        process_skips_a_record, process_does_not_deliver, process_delivers_twice,
        books_miss_a_row, books_hold_a_row_twice,
    ],
    "normalise": [
        normalise_does_not_write, normalise_skips_a_payload, normalise_keeps_no_dead_letter,
        books_miss_a_row,
    ],
}  # fmt: skip


if __name__ == "__main__":
    by_name = {each.__name__: each for losses in LOSSES.values() for each in losses}
    by_name[sys.argv[1]]()
    sys.exit(main(sys.argv[2:]))
