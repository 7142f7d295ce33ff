"""Deleting stored objects, with a record of it: what was asked for, and what is past its class.

record   what `erasure.v1` says of a deletion, and the one who may write it
expire   removes what is past its retention class
plan     what an erasure deletes and what it must leave, and why
request  finds that out from topics and holds, and does it
"""
