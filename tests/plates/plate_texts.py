"""Invented plates of every kind, as strategies: the normalised text and its kind."""

from hypothesis import strategies as st

from hub.plates.tables import ISSUED, SECOND_SERIES, SERIES, SPECIAL_SERIES

CODES = st.sampled_from(sorted(ISSUED))


def digits(least: int, most: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=least, max_size=most)


def joined(kind: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, str]]:
    return st.tuples(*parts).map(lambda texts: (kind, "".join(texts)))


FOREIGN = st.sampled_from(("NG", "QT", "CV"))
LETTER = st.sampled_from(SERIES)
KINDS = {
    "car": joined("car", CODES, LETTER, digits(3, 5)),
    "motorbike_new": joined(
        "motorbike_new", CODES, LETTER, st.sampled_from(SECOND_SERIES), digits(5, 5)
    ),
    "motorbike_old": joined(
        "motorbike_old", CODES, LETTER, st.sampled_from("123456789"), digits(3, 5)
    ),
    "special": joined("special", CODES, st.sampled_from(SPECIAL_SERIES), digits(3, 5)),
    "diplomatic": joined("diplomatic", CODES, digits(3, 3), FOREIGN, digits(2, 3))
    | joined("diplomatic", CODES, FOREIGN, digits(3, 3), digits(2, 3)),
    "foreign": joined("foreign", CODES, digits(3, 3), st.just("NN"), digits(2, 3)),
    "military": joined(
        "military", st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=2), digits(4, 4)
    ),
}
PLATES = st.one_of(*KINDS.values())
