"""Records of the log as decisions: of this version, of an older one, and what is none."""

import pytest
from review_records import EVENT, START, decision

import schemas
from hub.codec import RecordCodec
from hub.errors import RecordError
from hub.reviews import log

CODEC = RecordCodec(schemas.built(log.TOPIC), 7)


def test_a_decision_comes_back_from_its_bytes():
    plate = {"text": "30K00007", "category": "CAR", "colour": "WHITE"}
    told = decision(2, "APPROVED", 1, restricted={"plate": plate})
    assert log._decision(CODEC.decode(CODEC.encode(told))) == told


def test_what_an_older_writer_did_not_know_has_its_default():
    told = decision(1, "UNDER_REVIEW")
    older = {name: value for name, value in told.items() if name not in ("case_ref", "reason")}
    assert log._decision(older) == {**told, "case_ref": "", "reason": ""}


def test_a_record_of_another_kind_is_no_decision():
    with pytest.raises(RecordError, match="no decided_at, review_id, subject_id"):
        log._decision({"event_id": EVENT, "dead_id": bytes(16)})


def test_a_proposal_says_the_same_as_the_decision_it_became():
    case = log.fold(EVENT, [])
    proposal = log.Proposal(
        state="UNDER_REVIEW", reviewer="CB-1", unit="csgt-d3", decided_at=START, reason="so"
    )
    became = proposal.record(case, EVENT, None)
    assert proposal.repeats(became)
    assert not proposal.repeats({**became, "reviewer": "CB-2"})
    assert proposal.record(case, EVENT, None)["review_id"] != became["review_id"]
