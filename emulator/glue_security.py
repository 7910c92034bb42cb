"""Glue's security configurations, as far as they show: who names an unknown one is refused, and logs that are encrypted
go to log groups of each role's own, which Glue puts under the key in the role's name.

The groups' names are not documented; they are as accounts show them.
"""

from collections.abc import Mapping
from typing import Any

from moto.glue.models import glue_backends

from emulator.overlay import FALL_THROUGH, AwsError, Context, operation

_CUSTOM_PREFIX = "--custom-logGroup-prefix"  # of Spark jobs, from Glue 5.0 on


@operation("glue", "CreateSecurityConfiguration")
def create_security_configuration(_ctx: Context, params: dict[str, Any]) -> Any:
    """Check that what is encrypted with a key has one; moto keeps it."""
    configuration = params["EncryptionConfiguration"]
    parts = {
        "CloudWatchEncryption": configuration.get("CloudWatchEncryption", {}),
        "JobBookmarksEncryption": configuration.get("JobBookmarksEncryption", {}),
        **{f"S3Encryption.{number}": each for number, each in enumerate(configuration.get("S3Encryption", []), 1)},
    }
    for name, part in parts.items():
        mode = next((value for key, value in part.items() if key.endswith("Mode")), "DISABLED")
        if mode.endswith("-KMS") and not part.get("KmsKeyArn"):
            raise AwsError("InvalidInputException", f"{name} of mode {mode} needs a KmsKeyArn")
    return FALL_THROUGH


def require(account: str, region: str, name: str | None) -> None:
    """Refuse the name of a security configuration that does not exist; none is fine."""
    if name:
        glue_backends[account][region].get_security_configuration(name)


def logs_key(account: str, region: str, name: str | None) -> str | None:
    """ARN of the key that a security configuration puts logs under, None when it does not."""
    configurations = glue_backends[account][region].security_configurations
    if not name or name not in configurations:
        return None
    logs = configurations[name].configuration.get("CloudWatchEncryption", {})
    return logs.get("KmsKeyArn") if logs.get("CloudWatchEncryptionMode") == "SSE-KMS" else None


def job_log_group(account: str, region: str, job: Mapping[str, Any], arguments: Mapping[str, str]) -> str:
    """The group, without the last part, that a run of a job is logged to."""
    is_shell = job["Command"]["Name"] == "pythonshell"
    base = "/aws-glue/python-jobs" if is_shell else arguments.get(_CUSTOM_PREFIX, "/aws-glue/jobs")
    name = job.get("SecurityConfiguration")
    return f"{base}/{name}-role/{_role(job['Role'])}" if logs_key(account, region, name) else base


def crawler_log_group(account: str, region: str, role: str, name: str | None) -> str:
    """The group that a crawler of that role and security configuration is logged to."""
    base = "/aws-glue/crawlers"
    return f"{base}-role/{_role(role)}-{name}" if logs_key(account, region, name) else base


def _role(role: str) -> str:
    """A role's path and name, from its ARN or its name."""
    return role.partition(":role/")[2] or role
