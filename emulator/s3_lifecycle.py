"""Lifecycle configurations of S3 buckets: checked as AWS checks them, and described as they were given.

moto forgets sizes in filters and the number of versions to keep. Nothing here expires or moves an object.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import xmltodict
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response

_Rule = dict[str, Any]

# Days that an object must have spent in the bucket before it may go to a class, and in the class before it may go on.
_EARLIEST_DAYS = _SHORTEST_STAY = {"STANDARD_IA": 30, "ONEZONE_IA": 30}
# From warm to cold.
_CLASSES = ["STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"]

_moto_set_lifecycle = FakeBucket.set_lifecycle
_moto_get_bucket_lifecycle = S3Response.get_bucket_lifecycle


class _InvalidLifecycle(S3ClientError):
    def __init__(self, message: str) -> None:
        super().__init__("InvalidArgument", message)


def _set_lifecycle(bucket: FakeBucket, rules: list[_Rule]) -> None:
    names = [rule.get("ID") for rule in rules]
    if len(set(names)) < len(names):
        raise _InvalidLifecycle("Rule ID must be unique. Found same ID for one or more rules")
    for rule in rules:
        _check(rule)
    _moto_set_lifecycle(bucket, rules)
    bucket.lifecycle_as_given = rules


def _check(rule: _Rule) -> None:
    moves = list(_transitions(rule))
    for storage_class, days in moves:
        if storage_class not in _CLASSES:
            raise _InvalidLifecycle(f"StorageClass {storage_class} is not one of {', '.join(_CLASSES)}")
        if days < _EARLIEST_DAYS.get(storage_class, 0):
            raise _InvalidLifecycle(
                f"'Days' in Transition action must be greater than or equal to {_EARLIEST_DAYS[storage_class]} for "
                f"storageClass '{storage_class}'"
            )
    for (warmer, earlier), (colder, later) in pairwise(moves):
        stay = _SHORTEST_STAY.get(warmer, 1)
        if later < earlier + stay or _CLASSES.index(colder) <= _CLASSES.index(warmer):
            raise _InvalidLifecycle(
                f"'Days' in the 'Transition' action for StorageClass '{colder}' for filter '{rule.get('Filter')}' must "
                f"be {stay} days more than in the 'Transition' action for StorageClass '{warmer}'"
            )
    expiration = int((rule.get("Expiration") or {}).get("Days", 0))
    if expiration and moves and expiration <= moves[-1][1]:
        raise _InvalidLifecycle(
            f"'Days' in the Expiration action for filter '{rule.get('Filter')}' must be greater than 'Days' in the "
            "Transition action"
        )


def _transitions(rule: _Rule) -> Iterator[tuple[str, int]]:
    """Classes and days of a rule's transitions, in the order of time; those at a date are left out."""
    given = rule.get("Transition", [])
    moves = [
        (each["StorageClass"], int(each["Days"]))
        for each in (given if isinstance(given, list) else [given])
        if "Days" in each
    ]
    return iter(sorted(moves, key=lambda move: move[1]))


def _get_bucket_lifecycle(response: S3Response) -> Any:
    status, headers, body = _moto_get_bucket_lifecycle(response)  # refuses when there is none
    rules = response.backend.get_bucket(response.bucket_name).lifecycle_as_given
    namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    document = {"LifecycleConfiguration": {"@xmlns": namespace, "Rule": rules}}
    return status, headers, xmltodict.unparse(document) if body else body


FakeBucket.set_lifecycle = _set_lifecycle
S3Response.get_bucket_lifecycle = _get_bucket_lifecycle
