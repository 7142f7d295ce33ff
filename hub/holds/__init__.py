"""Legal holds: events, their payloads and their pictures, copied aside for a case.

dossier   finds everything the hub still has of an event or a subject
manifest  names every part of a copy with its SHA-256. Pure
area      where the copies lie: one folder a hold, its manifest written last
holding   adds, verifies and releases holds, each with a record in `hold.v1`
"""
