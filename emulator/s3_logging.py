"""S3's access logs: whether the service may write them to the bucket that is to hold them. None are written here."""

from typing import Any

from moto.s3.exceptions import InvalidTargetBucketForLogging
from moto.s3.models import FakeBucket, S3Backend

from emulator import iam

_SERVICE = "logging.s3.amazonaws.com"

_moto_set_logging = FakeBucket.set_logging


def _set_logging(bucket: FakeBucket, configuration: dict[str, Any] | None, backend: S3Backend) -> None:
    """Ask the target bucket's policy, conditions included; ACLs are not known here."""
    if configuration and configuration["TargetBucket"] in backend.buckets:
        resource = f"{configuration['TargetBucket']}/{configuration.get('TargetPrefix') or ''}"
        context = {"aws:sourcearn": f"arn:aws:s3:::{bucket.name}", "aws:sourceaccount": bucket.account_id}
        # The name of a log begins with a time; any name stands for all.
        if not iam.service_may(_SERVICE, "s3:PutObject", f"arn:aws:s3:::{resource}2026-01-01", context):
            raise InvalidTargetBucketForLogging(
                "You must either provide the necessary permissions to the logging service using a bucket policy or "
                "give the log-delivery group WRITE and READ_ACP permissions to the target bucket"
            )
    _moto_set_logging(bucket, configuration, backend)


def _allowed(**_buckets: Any) -> bool:
    """moto compares texts of the policy; it was evaluated above."""
    return True


FakeBucket.set_logging = _set_logging
FakeBucket._log_permissions_enabled_policy = staticmethod(_allowed)
