"""What RDS demands of a DB instance's network, logs and monitoring, and which of its changes wait.

Keys, which RDS uses in the caller's name too, are checked in iam_kms.py.
"""

from collections.abc import Mapping
from typing import Any

from moto.ec2.models import ec2_backends

from emulator import iam
from emulator.overlay import AwsError, Context
from emulator.rds_instance import CA_IDENTIFIER, DBInstance

_LOG_TYPES = ("postgresql", "upgrade", "iam-db-auth-error")
_MONITORING_SECONDS = (0, 1, 5, 10, 15, 30, 60)
_RETENTION_DAYS = (7, 731, *(31 * months for months in range(1, 24)))
_ADVANCED_DAYS = 465  # that the advanced mode of Database Insights keeps at least

# Without ApplyImmediately these wait for the maintenance window, which never comes here; by parameter, the name that
# the instance has them under.
_WAITING = {
    "AllocatedStorage": "allocated_storage",
    "CACertificateIdentifier": "ca_certificate_identifier",
    "DBInstanceClass": "db_instance_class",
    "EngineVersion": "engine_version",
    "MultiAZ": "multi_az",
    "StorageType": "storage_type",
}


def check(ctx: Context, params: Mapping[str, Any], current: DBInstance | None = None) -> None:
    """Refuse options that RDS refuses; what `params` do not say is as in the current instance."""
    _check_logs(params)
    _check_monitoring(params, current)
    _check_insights(params, current)
    _check_network(ctx, params, current)
    if params.get("CACertificateIdentifier", CA_IDENTIFIER) != CA_IDENTIFIER:
        raise AwsError("CertificateNotFound", f"Certificate not found: {params['CACertificateIdentifier']}", 404)


def wait_for_window(params: dict[str, Any], request: Any, instance: DBInstance) -> None:
    """Take what waits out of the request, or put what has waited into it when it is to be applied immediately."""
    if params.get("ApplyImmediately"):
        for name, value in instance.pending_modified_values.items():
            request.setdefault(name, value)
        instance.pending_modified_values = {}
        return
    for name, attribute in _WAITING.items():
        value = request.get(name)
        if value is not None and value != getattr(instance, attribute):
            instance.pending_modified_values = {**instance.pending_modified_values, name: value}
            del request[name]


def _check_logs(params: Mapping[str, Any]) -> None:
    enabled = params.get("EnableCloudwatchLogsExports", [])
    enabled = enabled or params.get("CloudwatchLogsExportConfiguration", {}).get("EnableLogTypes", [])
    unknown = [log_type for log_type in enabled if log_type not in _LOG_TYPES]
    if unknown:
        raise AwsError(
            "InvalidParameterCombination",
            f"You cannot use the log types {', '.join(unknown)} with engine postgres, only {', '.join(_LOG_TYPES)}",
        )


def _check_monitoring(params: Mapping[str, Any], current: DBInstance | None) -> None:
    interval = params.get("MonitoringInterval", current.monitoring_interval if current else 0)
    role = params.get("MonitoringRoleArn", current.monitoring_role_arn if current else None)
    if interval not in _MONITORING_SECONDS:
        raise AwsError(
            "InvalidParameterValue", f"Invalid MonitoringInterval {interval}: use one of {_MONITORING_SECONDS}"
        )
    if interval and not role:
        raise AwsError(
            "InvalidParameterCombination",
            "A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0.",
        )
    if "MonitoringRoleArn" in params and not iam.trusts(role, "monitoring.rds.amazonaws.com"):
        raise AwsError(
            "InvalidParameterValue",
            f"IAM role ARN value is invalid or does not include the required permissions for: ENHANCED_MONITORING: "
            f"{role}",
        )


def _check_insights(params: Mapping[str, Any], current: DBInstance | None) -> None:
    def wanted(parameter: str, attribute: str, default: Any) -> Any:
        return params.get(parameter, getattr(current, attribute) if current else default)

    enabled = wanted("EnablePerformanceInsights", "performance_insights_enabled", False)
    days = wanted("PerformanceInsightsRetentionPeriod", "performance_insights_retention_period", None) or 7
    mode = wanted("DatabaseInsightsMode", "database_insights_mode", "standard")
    if days not in _RETENTION_DAYS:
        raise AwsError(
            "InvalidParameterValue",
            f"Invalid Performance Insights retention period {days}: use 7, 731 or a multiple of 31 days",
        )
    if mode == "advanced" and not (enabled and days >= _ADVANCED_DAYS):
        raise AwsError(
            "InvalidParameterCombination",
            "To enable the Advanced mode of Database Insights, enable Performance Insights and set its retention "
            f"period to at least {_ADVANCED_DAYS} days.",
        )


def _check_network(ctx: Context, params: Mapping[str, Any], current: DBInstance | None) -> None:
    """Instance and security groups are in one network: the subnet group's."""
    if not params.get("VpcSecurityGroupIds"):
        return
    name = params.get("DBSubnetGroupName")
    subnet_group = ctx.response.backend.describe_db_subnet_groups(name)[0] if name else None
    subnet_group = subnet_group or getattr(current, "db_subnet_group", None)
    ec2 = ec2_backends[ctx.account][ctx.region]
    vpc = subnet_group.vpc_id if subnet_group else ec2.default_vpc.id
    for group_id in params["VpcSecurityGroupIds"]:
        group = ec2.get_security_group_from_id(group_id)
        if group is None:
            raise AwsError("InvalidParameterValue", f"Invalid security group , groupId= {group_id}, groupName=.")
        if group.vpc_id != vpc:
            raise AwsError(
                "InvalidVPCNetworkStateFault",
                f"The DB instance and EC2 security group are in different VPCs. The DB instance is in {vpc} and the "
                f"EC2 security group {group_id} is in {group.vpc_id}",
            )
