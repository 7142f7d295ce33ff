"""What an erasure deletes: nothing that is held, needed or unknown, and everything else."""

from hypothesis import given
from hypothesis import strategies as st

from hub.erasure.plan import planned

names = st.sampled_from([f"{number:064x}" for number in range(6)])
some = st.sets(names)
users = st.dictionaries(names, st.lists(st.uuids().map(str), max_size=5, unique=True))


@given(st.dictionaries(names, st.sampled_from(["body", "picture"])), some, users, users, some)
def test_every_object_has_one_fate_and_only_what_nobody_needs_is_deleted(
    objects, there, holds, needed_by, waiting
):
    fates = planned(objects, there=there, holds=holds, needed_by=needed_by, waiting=waiting)
    assert [each.name for each in fates] == sorted(objects)
    for each in fates:
        free = not (holds.get(each.name) or needed_by.get(each.name) or each.name in waiting)
        assert each.kind == objects[each.name]
        if each.name not in there:
            assert each.outcome == "absent"
        else:
            assert each.outcome == ("deleted" if free else "kept")
        assert bool(each.why) == (each.outcome == "kept")


def test_a_hold_is_named_before_other_events_and_many_events_are_counted():
    name = "0a" * 32
    asked = {
        "there": {name},
        "needed_by": {name: ["e", "d", "c", "b", "a"]},
        "waiting": set(),
    }
    (fate,) = planned({name: "picture"}, holds={}, **asked)
    assert fate.why == "also of event a, event b, event c and 2 more"
    (fate,) = planned({name: "picture"}, holds={name: ["hold 7 (case x)"]}, **asked)
    assert fate.why == "held by hold 7 (case x)"
    assert fate.as_dict()["sha256"] == b"\n" * 32


def test_a_payload_that_waits_is_kept_as_nobody_knows_what_it_gives():
    name = "0a" * 32
    (fate,) = planned({name: "body"}, there={name}, holds={}, needed_by={}, waiting={name})
    assert (fate.outcome, "run it again later" in fate.why) == ("kept", True)
