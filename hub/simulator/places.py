"""Junctions, wards and owners of the simulated city.

Streets, wards and ward codes are Hanoi's (scheme `nso-2025-07`, two tiers since July 2025); which
junction has which camera, and every position, is invented.
"""

from dataclasses import dataclass

__all__ = ["AGENCIES", "AREA_SCHEME", "JUNCTIONS", "WARDS", "Junction", "Ward"]

AREA_SCHEME = "nso-2025-07"
AGENCIES = {
    "police": "H26.CA",
    "construction": "H26.SXD",
    "warning": "H26.PCTT",
}
"""Agency codes of the invented owners; a commune's is `H26.UB.<ward code>`."""


@dataclass(frozen=True, slots=True)
class Ward:
    """A ward of today, and the district most of it lay in until June 2025."""

    code: str
    name: str
    legacy_district: str


@dataclass(frozen=True, slots=True)
class Junction:
    """Where two streets meet: its number at the signal centre, its ward, a position near it."""

    number: int
    roads: tuple[str, str]
    ward: Ward
    lat: float
    lon: float

    @property
    def name(self) -> str:
        """Both streets, as the city writes a junction."""
        return f"{self.roads[0]} - {self.roads[1]}"


_WARDS = """
00004|Ba Đình|Ba Đình
00008|Ngọc Hà|Ba Đình
00025|Giảng Võ|Ba Đình
00070|Hoàn Kiếm|Hoàn Kiếm
00082|Cửa Nam|Hoàn Kiếm
00097|Hồng Hà|Hoàn Kiếm
00103|Tây Hồ|Tây Hồ
00118|Bồ Đề|Long Biên
00127|Việt Hưng|Long Biên
00160|Nghĩa Đô|Cầu Giấy
00166|Cầu Giấy|Cầu Giấy
00175|Yên Hòa|Cầu Giấy
00190|Ô Chợ Dừa|Đống Đa
00199|Láng|Đống Đa
00226|Văn Miếu - Quốc Tử Giám|Đống Đa
00229|Kim Liên|Đống Đa
00235|Đống Đa|Đống Đa
00256|Hai Bà Trưng|Hai Bà Trưng
00283|Vĩnh Tuy|Hai Bà Trưng
00292|Bạch Mai|Hai Bà Trưng
00316|Định Công|Hoàng Mai
00331|Hoàng Mai|Hoàng Mai
00352|Phương Liệt|Thanh Xuân
00364|Khương Đình|Thanh Xuân
00367|Thanh Xuân|Thanh Xuân
00592|Từ Liêm|Nam Từ Liêm
09556|Hà Đông|Hà Đông
"""
WARDS = {
    code: Ward(code, name, district)
    for code, name, district in (line.split("|") for line in _WARDS.split("\n") if line)
}

_JUNCTIONS = """
Khuất Duy Tiến|Nguyễn Trãi|00367|20.9945|105.7995
Khuất Duy Tiến|Lê Văn Lương|00367|21.0022|105.7968
Nguyễn Tuân|Nguyễn Trãi|00367|20.9972|105.8042
Hoàng Đạo Thúy|Lê Văn Lương|00175|21.0052|105.8012
Trần Duy Hưng|Khuất Duy Tiến|00175|21.0071|105.7932
Trần Duy Hưng|Nguyễn Thị Thập|00175|21.0088|105.7961
Trung Kính|Dương Đình Nghệ|00175|21.0191|105.7869
Phạm Hùng|Dương Đình Nghệ|00175|21.0212|105.7832
Xuân Thủy|Phạm Hùng|00166|21.0365|105.7821
Cầu Giấy|Xuân Thủy|00166|21.0358|105.7902
Trần Thái Tông|Xuân Thủy|00166|21.0361|105.7861
Trần Đăng Ninh|Cầu Giấy|00166|21.0354|105.7943
Hoàng Quốc Việt|Phạm Văn Đồng|00160|21.0468|105.7826
Hoàng Quốc Việt|Nguyễn Phong Sắc|00160|21.0461|105.7912
Hoàng Quốc Việt|Bưởi|00160|21.0457|105.8045
Nguyễn Văn Huyên|Hoàng Quốc Việt|00160|21.0459|105.7987
Láng|Cầu Giấy|00199|21.0292|105.8031
Láng|Nguyễn Chí Thanh|00199|21.0203|105.8064
Láng|Láng Hạ|00199|21.0104|105.8118
Láng Hạ|Thái Hà|00235|21.0129|105.8137
Tây Sơn|Thái Hà|00235|21.0093|105.8212
Tây Sơn|Trường Chinh|00235|21.0035|105.8203
Chùa Bộc|Thái Hà|00235|21.0079|105.8256
Xã Đàn|Phạm Ngọc Thạch|00229|21.0092|105.8341
Đại Cồ Việt|Lê Duẩn|00229|21.0081|105.8408
Trường Chinh|Tôn Thất Tùng|00229|21.0003|105.8297
Ô Chợ Dừa|Xã Đàn|00190|21.0188|105.8291
La Thành|Giảng Võ|00190|21.0213|105.8232
Hào Nam|Vũ Thạnh|00190|21.0251|105.8272
Tôn Đức Thắng|Khâm Thiên|00226|21.0199|105.8312
Tôn Đức Thắng|Quốc Tử Giám|00226|21.0278|105.8342
Nguyễn Thái Học|Tôn Đức Thắng|00226|21.0307|105.8359
Kim Mã|Nguyễn Chí Thanh|00025|21.0301|105.8121
Kim Mã|Giang Văn Minh|00025|21.0322|105.8251
Giảng Võ|Cát Linh|00025|21.0288|105.8264
Liễu Giai|Kim Mã|00025|21.0316|105.8149
Văn Cao|Hoàng Hoa Thám|00008|21.0415|105.8151
Liễu Giai|Đội Cấn|00008|21.0362|105.8146
Đội Cấn|Ngọc Hà|00008|21.0358|105.8281
Điện Biên Phủ|Hoàng Diệu|00004|21.0328|105.8402
Phan Đình Phùng|Hùng Vương|00004|21.0402|105.8381
Yên Phụ|Thanh Niên|00004|21.0441|105.8402
Hàng Bài|Tràng Tiền|00070|21.0247|105.8531
Tràng Thi|Quang Trung|00070|21.0271|105.8489
Hàng Đậu|Trần Nhật Duật|00070|21.0402|105.8482
Trần Hưng Đạo|Lê Duẩn|00082|21.0236|105.8421
Trần Hưng Đạo|Bà Triệu|00082|21.0212|105.8493
Lý Thường Kiệt|Quán Sứ|00082|21.0258|105.8452
Trần Khánh Dư|Vạn Kiếp|00097|21.0162|105.8627
Âu Cơ|Nghi Tàm|00103|21.0618|105.8312
Lạc Long Quân|Bưởi|00103|21.0512|105.8081
Nguyễn Văn Cừ|Ngọc Lâm|00118|21.0449|105.8731
Nguyễn Văn Cừ|Nguyễn Sơn|00118|21.0478|105.8789
Ngô Gia Tự|Nguyễn Văn Linh|00127|21.0551|105.8931
Phố Huế|Trần Khát Chân|00256|21.0091|105.8521
Lò Đúc|Trần Khát Chân|00256|21.0102|105.8589
Minh Khai|Nguyễn Khoái|00283|20.9998|105.8741
Minh Khai|Kim Ngưu|00283|20.9972|105.8612
Giải Phóng|Đại Cồ Việt|00292|21.0073|105.8415
Bạch Mai|Minh Khai|00292|20.9961|105.8509
Giải Phóng|Kim Đồng|00331|20.9847|105.8413
Tam Trinh|Minh Khai|00331|20.9951|105.8611
Định Công|Lê Trọng Tấn|00316|20.9897|105.8306
Trường Chinh|Giải Phóng|00352|20.9985|105.8412
Vương Thừa Vũ|Trường Chinh|00364|21.0001|105.8237
Lê Đức Thọ|Hồ Tùng Mậu|00592|21.0388|105.7719
Quang Trung|Lê Trọng Tấn|09556|20.9701|105.7689
"""
JUNCTIONS = tuple(
    Junction(12_000 + number, (first, second), WARDS[code], float(lat), float(lon))
    for number, (first, second, code, lat, lon) in enumerate(
        (line.split("|") for line in _JUNCTIONS.split("\n") if line), start=1
    )
)
