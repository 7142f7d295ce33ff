"""A small register of places, as an operator would hand it in; positions are invented."""

from hub.codec import micros
from hub.places import register
from hub.places.resolve import Locations

HEAD = (
    "location_id,valid_from,valid_to,kind,name,aliases,roads,junction,position_code,lat,lon,areas"
)
LINES = (
    "pham-van-bach,2025-07-01,,road,Đường Phạm Văn Bạch,,,,,,,",
    "hoang-quan-chi,2025-07-01,,road,Đường Hoàng Quán Chi,,,,,,,",
    "ring-3,2025-07-01,,road,Vành đai 3,Phạm Hùng; Khuất Duy Tiến; Nguyễn Xiển,,,,,,",
    "me-tri,2025-07-01,,road,Đường Mễ Trì,,,,,,,",
    "ql1a,2025-07-01,,milestone-road,Quốc lộ 1A,Quốc lộ 1,,,,,,",
    "phap-van-cau-gie,2025-07-01,,road,Cao tốc Pháp Vân - Cầu Giẽ,Pháp Vân - Cầu Giẽ,,,,,,",
    "quang-trung-1,2025-07-01,,road,Phố Quang Trung,,,,,,,nso-2025-07:00082; nso-2025-07:00256",
    "quang-trung-2,2025-07-01,,road,Đường Quang Trung,,,,,,,nso-2025-07:09556",
    "j-1,2025-07-01,,junction,Phạm Văn Bạch - Hoàng Quán Chi,,pham-van-bach;hoang-quan-chi,,,,,",
    "j-2,2025-07-01,,junction,Nút giao Mễ Trì,,ring-3; me-tri,,,,,",
    "j-3,2025-07-01,,junction,Nút giao Pháp Vân,,phap-van-cau-gie; ring-3,,,,,",
    "p-87,2025-07-01,,position,,,pham-van-bach,j-1,VT87,,,",
    "p-88,2025-07-01,,position,Phạm Văn Bạch - Hoàng Quán Chi (VT88),,,j-1,,,,",
)
AT_US = 1_760_000_000_000_000  # October 2025


def located(*lines: str, head: str = HEAD) -> Locations:
    """The register that these lines of CSV give."""
    entries = register.read("\n".join([head, *lines]), "places.csv")
    register.check(entries, "places.csv")
    found = Locations()
    for entry in entries:
        until = 2**62 if entry["valid_to"] is None else micros(entry["valid_to"])
        found.put(register.record_key(entry), entry, micros(entry["valid_from"]), until)
    return found
