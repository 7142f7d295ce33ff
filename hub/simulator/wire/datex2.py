"""DATEX II situation publications, versions 2 and 3, as a traffic centre pushes them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

__all__ = ["XML", "Situation", "v2_xml", "v3_xml"]

XML = "application/xml"
_XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One version of a situation with one record."""

    situation: str
    record: str
    version: int
    record_type: str
    """`Accident`, `GeneralObstruction` or `MaintenanceWorks`."""
    detail: str
    created: datetime
    versioned: datetime
    published: datetime
    starts: datetime
    ends: datetime | None
    severity: str
    comment: str
    lat: float
    lon: float
    information_status: str = "real"
    end: bool = False
    cancel: bool = False


_DETAILS = {
    "Accident": "accidentType",
    "GeneralObstruction": "obstructionType",
    "MaintenanceWorks": "roadMaintenanceType",
}


def v2_xml(item: Situation) -> bytes:
    """A bare `d2LogicalModel`, version 2.2/2.3."""
    over = f"<overallEndTime>{_local(item.ends)}</overallEndTime>" if item.ends else ""
    status = "suspended" if item.end else "definedByValidityTimeSpec"
    return f"""<?xml version="1.0" encoding="utf-8"?>
<d2LogicalModel xmlns="http://datex2.eu/schema/2/2_0" {_XSI} modelBaseVersion="2">
 <exchange><supplierIdentification><country>other</country>
  <nationalIdentifier>VN-HN-TTDK</nationalIdentifier></supplierIdentification></exchange>
 <payloadPublication lang="vi" xsi:type="SituationPublication">
  <publicationTime>{_local(item.published)}</publicationTime>
  <publicationCreator><country>other</country>
   <nationalIdentifier>VN-HN-TTDK</nationalIdentifier></publicationCreator>
  <situation id={quoteattr(item.situation)} version="{item.version}">
   <headerInformation><confidentiality>noRestriction</confidentiality>
    <informationStatus>{item.information_status}</informationStatus></headerInformation>
   <situationRecord id={quoteattr(item.record)} version="{item.version}" \
xsi:type="{item.record_type}">
    <situationRecordCreationTime>{_local(item.created)}</situationRecordCreationTime>
    <situationRecordVersionTime>{_local(item.versioned)}</situationRecordVersionTime>
    <probabilityOfOccurrence>certain</probabilityOfOccurrence>
    <severity>{item.severity}</severity>
    <validity><validityStatus>{status}</validityStatus><validityTimeSpecification>
     <overallStartTime>{_local(item.starts)}</overallStartTime>{over}
    </validityTimeSpecification></validity>
    <generalPublicComment><comment><values>
     <value lang="vi">{escape(item.comment)}</value></values></comment></generalPublicComment>
    <groupOfLocations xsi:type="Point"><pointByCoordinates><pointCoordinates>
     <latitude>{item.lat:.6f}</latitude><longitude>{item.lon:.6f}</longitude>
    </pointCoordinates></pointByCoordinates></groupOfLocations>
{_management(item, "")}
    <{_DETAILS[item.record_type]}>{item.detail}</{_DETAILS[item.record_type]}>
   </situationRecord>
  </situation>
 </payloadPublication>
</d2LogicalModel>
""".encode()


def v3_xml(item: Situation) -> bytes:
    """A `d2:payload` of version 3, with the publisher's own prefixes."""
    over = f"<com:overallEndTime>{_utc(item.ends)}</com:overallEndTime>" if item.ends else ""
    status = "suspended" if item.end else "definedByValidityTimeSpec"
    detail = f"sit:{_DETAILS[item.record_type]}"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<d2:payload xmlns:d2="http://datex2.eu/schema/3/d2Payload" \
xmlns:com="http://datex2.eu/schema/3/common" \
xmlns:loc="http://datex2.eu/schema/3/locationReferencing" \
xmlns:sit="http://datex2.eu/schema/3/situation" {_XSI} lang="vi" \
xsi:type="sit:SituationPublication">
 <com:publicationTime>{_utc(item.published)}</com:publicationTime>
 <com:publicationCreator><com:country>VN</com:country>
  <com:nationalIdentifier>VN-HN-TTDK</com:nationalIdentifier></com:publicationCreator>
 <sit:situation id={quoteattr(item.situation)}>
  <sit:headerInformation><com:confidentiality>noRestriction</com:confidentiality>
   <com:informationStatus>{item.information_status}</com:informationStatus>
  </sit:headerInformation>
  <sit:situationRecord id={quoteattr(item.record)} version="{item.version}" \
xsi:type="sit:{item.record_type}">
   <sit:situationRecordCreationTime>{_utc(item.created)}</sit:situationRecordCreationTime>
   <sit:situationRecordVersionTime>{_utc(item.versioned)}</sit:situationRecordVersionTime>
   <sit:probabilityOfOccurrence>certain</sit:probabilityOfOccurrence>
   <sit:severity>{item.severity}</sit:severity>
   <sit:validity><com:validityStatus>{status}</com:validityStatus>
    <com:validityTimeSpecification>
    <com:overallStartTime>{_utc(item.starts)}</com:overallStartTime>{over}
   </com:validityTimeSpecification></sit:validity>
   <sit:generalPublicComment><sit:comment><com:values>
    <com:value lang="vi">{escape(item.comment)}</com:value>
   </com:values></sit:comment></sit:generalPublicComment>
   <sit:locationReference xsi:type="loc:PointLocation"><loc:pointByCoordinates>
    <loc:pointCoordinates><loc:latitude>{item.lat:.6f}</loc:latitude>
    <loc:longitude>{item.lon:.6f}</loc:longitude></loc:pointCoordinates>
   </loc:pointByCoordinates></sit:locationReference>
{_management(item, "sit:")}
   <{detail}>{item.detail}</{detail}>
  </sit:situationRecord>
 </sit:situation>
</d2:payload>
""".encode()


def _management(item: Situation, prefix: str) -> str:
    """`end` (it is over) differs from `cancel` (it was wrong)."""
    if not (item.end or item.cancel):
        return ""
    what = "end" if item.end else "cancel"
    inner = "com:" if prefix else ""
    return (
        f"<{prefix}management><{prefix}lifeCycleManagement><{inner}{what}>true</{inner}{what}>"
        f"</{prefix}lifeCycleManagement></{prefix}management>"
    )


def _local(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
