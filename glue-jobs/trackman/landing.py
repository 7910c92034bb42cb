"""The landing zone: who puts what there is up to the feeds, the platform only looks."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from trackman import aws


@dataclass(frozen=True)
class Unit:
    """One version of one object: what is taken once, whoever announces it and however often."""

    bucket: str
    key: str
    version: str
    """`null` in a bucket without versions: there, a new content is told by size and ETag."""
    size: int
    etag: str
    landed_at: datetime
    """S3's clock, UTC, in whole seconds."""

    @property
    def identity(self) -> tuple[str, str, int, str]:
        return self.key, self.version, self.size, self.etag


@dataclass(frozen=True)
class Listing:
    """What lay in a folder."""

    began_at: datetime
    """S3's clock: whatever landed before is listed."""
    units: list[Unit]
    """In the order in which they landed; of one key, older versions first."""


def list_landed(bucket: str, prefix: str) -> Listing:
    """All versions of the objects below a prefix, less those that were withdrawn: whose key was deleted since.

    A content that was replaced before anybody looked is listed too: what is in the lake does not depend on when the
    job ran. Entries that only stand for a folder are left out.
    """
    client = aws.client("s3")
    # A request before the listing's: what landed before its answer, the listing has.
    answer = client.list_object_versions(Bucket=bucket, Prefix=prefix, MaxKeys=1)
    began_at = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).astimezone(UTC)
    units, withdrawn = [], set()
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        withdrawn.update(marker["Key"] for marker in page.get("DeleteMarkers", []) if marker["IsLatest"])
        # A key's versions come newest first, so that its marker is known by then.
        units += [
            Unit(
                bucket,
                version["Key"],
                version["VersionId"],
                version["Size"],
                version["ETag"].strip('"'),
                version["LastModified"].astimezone(UTC),
            )
            for version in page.get("Versions", [])
            if version["Key"] not in withdrawn and not (version["Key"].endswith("/") and version["Size"] == 0)
        ]
    # Oldest first; the sort is stable: versions of one key that landed in one second stay in their order.
    units.reverse()
    return Listing(began_at, sorted(units, key=lambda unit: unit.landed_at))
