"""What a crawler finds in its stores: tables, in the words of the catalog."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class CrawlError(Exception):
    """A store could not be crawled; the message is part of the crawl's ErrorMessage."""


@dataclass(frozen=True)
class FoundPartition:
    """A folder of a table's, by the values that its path has for the table's partition keys."""

    values: Sequence[str]
    location: str
    statistics: Mapping[str, str]


@dataclass(frozen=True)
class FoundTable:
    """A table, as the catalog shall describe it. Columns and keys are the API's: Name, Type and so on."""

    name: str  # without the crawler's prefix; any characters
    location: str
    connection: str | None  # by which it was reached; None for what lies in S3
    columns: Sequence[Mapping[str, Any]]
    parameters: Mapping[str, str]  # statistics included
    description: str | None = None
    partition_keys: Sequence[Mapping[str, str]] = ()
    partitions: Sequence[FoundPartition] = ()
    storage: Mapping[str, Any] = field(default_factory=dict)  # further members of the StorageDescriptor


def statistics(objects: int, records: int, size: int) -> dict[str, str]:
    """The parameters by which crawlers say how large something is; `size` in bytes."""
    return {
        "averageRecordSize": str(size // records if records else 0),
        "objectCount": str(objects),
        "recordCount": str(records),
        "sizeKey": str(size),
    }
