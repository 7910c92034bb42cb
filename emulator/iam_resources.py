"""Which permissions an API call needs: IAM actions and the ARNs they act on.

From the "Actions, resources, and condition keys" pages of AWS's service authorization reference. A service that is not
listed here needs its action on "*", so a policy that names resources of such a service refuses until it is added.
S3, whose permissions are not named after its operations, is in iam_s3.py.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from moto.athena.models import athena_backends
from moto.iam.models import iam_backends
from moto.kms.models import Key, kms_backends
from moto.secretsmanager.models import secretsmanager_backends

from emulator import athena_executions, athena_sql, iam_conditions, iam_ec2, redshift_statements, redshift_store
from emulator.iam_policy import Context


@dataclass(frozen=True)
class Need:
    """One permission: an IAM action on one resource, with the condition keys that are this action's own.

    `via` is the service ("s3") that makes the call in the caller's name; None for the caller's own.
    """

    action: str
    resource: str
    context: Context = field(default_factory=dict)
    via: str | None = None


@dataclass(frozen=True)
class Call:
    """One API call. `service` is IAM's prefix ("glue"), `parameters` are as the caller sent them."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    account: str
    region: str

    def arn(self, resource: str) -> str:
        return f"arn:aws:{self.service}:{self.region}:{self.account}:{resource}"

    def text(self, *names: str) -> str | None:
        """The first of these parameters that is given as text; "Outer.Inner" looks inside a structure."""
        for name in names:
            value: Any = self.parameters
            for part in name.split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
            if isinstance(value, str) and value:
                return value
        return None

    def texts(self, name: str) -> list[str]:
        """A parameter that is a list of text, in either of the two ways in which protocols send lists."""
        value = self.parameters.get(name)
        if isinstance(value, list):
            return value
        return [text for key, text in self.parameters.items() if re.fullmatch(rf"{name}\.member\.\d+", key)]


def needs(call: Call) -> list[Need]:
    """Every permission that the call needs; AWS checks them in this order and names the first that is missing."""
    resources = _RESOURCES.get(call.service, _any)(call)
    operation = _budgets_action(call.operation) if call.service == "budgets" else call.operation
    action = f"{call.service}:{operation}"
    own = [Need(action, resource, _context(call, resource)) for resource in resources]
    return own + _tagging(call, resources) + _passed_roles(call) + _executed_statement(call)


def _context(call: Call, resource: str) -> Context:
    """The condition keys that are the action's own, on one of its resources."""
    if call.service == "ec2":
        return iam_ec2.request_keys(call, resource)
    if call.service == "redshift-data" and (statement_id := call.text("Id")):
        statement = redshift_statements.find(call.account, call.region, statement_id)
        return {"redshift-data:statement-owner-iam-userid": statement.submission.owner} if statement else {}
    if (call.service, call.operation) == ("cloudwatch", "PutMetricData"):
        return {"cloudwatch:namespace": call.text("Namespace") or ""}
    return {}


def _any(call: Call) -> list[str]:
    return ["*"]


# --- Glue

_GLUE_NAMED = {
    "Job": ("JobName", "Name"),
    "Crawler": ("CrawlerName", "Name"),
    "Trigger": ("Name",),
    "Workflow": ("Name",),
}
"""What a Glue operation names, by a word in the operation's name, and the parameters that hold the name."""


def _glue(call: Call) -> list[str]:
    """A thing of the catalog needs permission on everything that it is in: table, database, catalog."""
    if tagged := call.text("ResourceArn"):
        return [tagged]
    call = replace(call, account=call.text("CatalogId") or call.account)  # a catalog's id is the account that owns it
    operation, catalog = call.operation, call.arn("catalog")
    if re.search("Table|Partition|ColumnStatistics|UserDefinedFunction", operation):
        return _glue_in_database(call, catalog)
    if "Database" in operation:
        name = call.text("Name", "DatabaseInput.Name")
        return [catalog, call.arn(f"database/{name}")] if name else [catalog]
    if "Connection" in operation:
        name = call.text("Name", "ConnectionName", "ConnectionInput.Name")
        return [catalog, call.arn(f"connection/{name or '*'}")]
    if "Catalog" in operation:
        return [catalog]
    for kind, parameters in _GLUE_NAMED.items():
        if kind in operation and (name := call.text(*parameters)):
            return [call.arn(f"{kind.lower()}/{name}")]
    return ["*"]


def _glue_in_database(call: Call, catalog: str) -> list[str]:
    database = call.text("DatabaseName") or "*"
    kind = "userDefinedFunction" if "Function" in call.operation else "table"
    name = call.text("TableName", "Name", "FunctionName", "TableInput.Name", "FunctionInput.Name")
    names = call.texts("TablesToDelete") or [name or "*"]
    return [catalog, call.arn(f"database/{database}"), *(call.arn(f"{kind}/{database}/{each}") for each in names)]


# --- The other services


def _athena(call: Call) -> list[str]:
    if tagged := call.text("ResourceARN"):
        return [tagged]
    if re.search("DataCatalog|Database|TableMetadata", call.operation):
        catalog = call.text("CatalogName", "Name")
        return [call.arn(f"datacatalog/{catalog}")] if catalog else ["*"]
    if call.operation in ("ListWorkGroups", "ListEngineVersions"):
        return ["*"]
    return [call.arn(f"workgroup/{name}") for name in _athena_workgroups(call)]


def _athena_workgroups(call: Call) -> list[str]:
    queries = athena_backends[call.account][call.region].named_queries
    execution_ids = call.texts("QueryExecutionIds") or [call.text("QueryExecutionId")]
    query_ids = call.texts("NamedQueryIds") or [call.text("NamedQueryId")]
    executions = (athena_executions.find(call.account, call.region, each) for each in execution_ids)
    found = {execution.submission.workgroup for execution in executions if execution}
    found |= {queries[each].workgroup.name for each in query_ids if each in queries}
    return sorted(found) or [call.text("WorkGroup", "Name") or "primary"]


def _executed_statement(call: Call) -> list[Need]:
    """EXECUTE takes the prepared statement from the workgroup."""
    if f"{call.service}:{call.operation}" != "athena:StartQueryExecution":
        return []
    beginning = athena_sql.tokenize(call.text("QueryString") or "")[:1]
    if not beginning or beginning[0].upper != "EXECUTE":
        return []
    return [Need("athena:GetPreparedStatement", workgroup) for workgroup in _athena(call)]


def _secretsmanager(call: Call) -> list[str]:
    """A secret's ARN ends in six random characters; a secret that does not exist is asked for by its bare name."""
    given = call.text("SecretId", "Name")
    if given is None:
        return ["*"]
    secret = secretsmanager_backends[call.account][call.region].secrets.get(given)
    if secret is not None:
        return [secret.arn]
    return [given if given.startswith("arn:") else call.arn(f"secret:{given}")]


def _ssm(call: Call) -> list[str]:
    names = call.texts("Names") or [call.text("Name", "Path", "ResourceId")]
    return [_ssm_parameter(call, name) for name in names if name] or ["*"]


def _ssm_parameter(call: Call, name: str) -> str:
    return name if name.startswith("arn:") else call.arn(f"parameter/{name.lstrip('/')}")


def _kms(call: Call) -> list[str]:
    """An alias needs permission on both, alias and key."""
    alias = call.text("AliasName")
    given = call.text("KeyId", "TargetKeyId") or alias
    key = [kms_key_arn(call.account, call.region, given)] if given else ["*"]
    return [call.arn(alias), *key] if alias else key


def kms_key_arn(account: str, region: str, given: str) -> str:
    """The ARN of a key that is given by its id, its ARN, or the name or ARN of an alias."""
    if given.startswith("arn:") and ":key/" in given:
        return given
    key = given.rpartition(":")[2]
    if key.startswith("alias/"):
        key_id = kms_backends[account][region].get_key_id_from_alias(key)
        key = key if key_id is None else f"key/{key_id}"
    else:
        key = f"key/{key}"
    return f"arn:aws:kms:{region}:{account}:{key}"


def find_key(arn: str) -> Key | None:
    """A key of any account, None when no key has that ARN."""
    match = re.fullmatch(r"arn:aws:kms:([a-z0-9-]+):(\d{12}):key/(.+)", arn)
    return kms_backends[match[2]][match[1]].keys.get(match[3]) if match else None


def _logs(call: Call) -> list[str]:
    """CloudWatch Logs asks about a group as about a stream without a name, so policies end in `:*`."""
    if arn := call.text("resourceArn", "logGroupIdentifier"):
        return [arn]
    group = call.text("logGroupName")
    if group is None:
        return [call.arn("log-group::log-stream:")] if call.operation == "DescribeLogGroups" else ["*"]
    return [call.arn(f"log-group:{group}:log-stream:{call.text('logStreamName') or ''}")]


_RDS_RESOURCES = {
    "OptionGroupName": "og",
    "DBParameterGroupName": "pg",
    "DBSubnetGroupName": "subgrp",
    "DBInstanceIdentifier": "db",
}


def _rds(call: Call) -> list[str]:
    """An instance that names no option group gets its engine's default one, and RDS asks about that as well."""
    if tagged := call.text("ResourceName"):
        return [tagged]
    named = [call.arn(f"{kind}:{name}") for field, kind in _RDS_RESOURCES.items() if (name := call.text(field))]
    if call.operation == "CreateDBInstance" and not call.text("OptionGroupName"):
        major = (call.text("EngineVersion") or "*").partition(".")[0]
        named.insert(0, call.arn(f"og:default:{call.text('Engine')}-{major}"))
    return named or [call.arn("db:*") if call.operation == "DescribeDBInstances" else "*"]


def _redshift_data(call: Call) -> list[str]:
    """What names no workgroup is about a statement, which is no resource: conditions tell whose it is."""
    kept = redshift_store.store(call.account, call.region)
    workgroup = kept.workgroups.get(call.text("WorkgroupName") or "")
    return [workgroup.arn] if workgroup else ["*"]


def _redshift_serverless(call: Call) -> list[str]:
    """A namespace and a workgroup are known by an id in their ARN; what does not exist is asked for as any of them."""
    if given := call.text("resourceArn"):
        return [given]
    kept = redshift_store.store(call.account, call.region)
    for kind, existing in (("workgroup", kept.workgroups), ("namespace", kept.namespaces)):
        if name := call.text(f"{kind}Name"):
            return [existing[name].arn if name in existing else call.arn(f"{kind}/*")]
    return ["*"]


def _iam(call: Call) -> list[str]:
    if role := call.text("RoleName"):
        return [role_arn(call.account, role)]
    if policy := call.text("PolicyName"):
        return [f"arn:aws:iam::{call.account}:policy{call.text('Path') or '/'}{policy}"]
    if url := call.text("Url"):
        return [f"arn:aws:iam::{call.account}:oidc-provider/{url.removeprefix('https://')}"]
    return [call.text("PolicyArn", "OpenIDConnectProviderArn") or "*"]


def _sts(call: Call) -> list[str]:
    return [call.text("RoleArn") or "*"]


# --- What watches the others


def _cloudwatch(call: Call) -> list[str]:
    if tagged := call.text("ResourceARN"):
        return [tagged]
    dashboards = call.texts("DashboardNames") or [call.text("DashboardName")]
    if "Dashboard" in call.operation:
        return [f"arn:aws:cloudwatch::{call.account}:dashboard/{name}" for name in dashboards if name] or ["*"]
    if "Alarm" in call.operation:
        names = call.texts("AlarmNames") or [call.text("AlarmName") or "*"]
        return [call.arn(f"alarm:{name}") for name in names]
    return ["*"]


def _sns(call: Call) -> list[str]:
    """A subscription is asked for by its topic: the ARN less its last part."""
    if subscription := call.text("SubscriptionArn"):
        return [subscription.rpartition(":")[0]]
    named = call.text("TopicArn", "ResourceArn", "TargetArn")
    if named is None and (name := call.text("Name")):
        named = call.arn(name)
    return [named or "*"]


def _events(call: Call) -> list[str]:
    if tagged := call.text("ResourceARN"):
        return [tagged]
    name = call.text("Rule", "Name")
    return [call.arn(f"rule/{name}")] if name else ["*"]


def _budgets(call: Call) -> list[str]:
    if tagged := call.text("ResourceARN"):
        return [tagged]
    name = call.text("BudgetName", "Budget.BudgetName", "NewBudget.BudgetName")
    return [f"arn:aws:budgets::{call.account}:budget/{name or '*'}"]


def _budgets_action(operation: str) -> str:
    """Budgets' permissions are not named after its operations, but for those on tags."""
    if "Resource" in operation:
        return operation
    return "ViewBudget" if operation.startswith("Describe") else "ModifyBudget"


_RESOURCES: dict[str, Callable[[Call], list[str]]] = {
    "athena": _athena,
    "budgets": _budgets,
    "cloudwatch": _cloudwatch,
    "ec2": iam_ec2.resources,
    "events": _events,
    "glue": _glue,
    "iam": _iam,
    "kms": _kms,
    "logs": _logs,
    "rds": _rds,
    "redshift-data": _redshift_data,
    "redshift-serverless": _redshift_serverless,
    "secretsmanager": _secretsmanager,
    "sns": _sns,
    "ssm": _ssm,
    "sts": _sts,
}


# --- Who creates something with tags must be allowed to tag it


def _tagging(call: Call, resources: Sequence[str]) -> list[Need]:
    if call.service == "ec2":
        context = {"ec2:createaction": call.operation}
        tags = iam_ec2.tags_of_created(call)
        return [
            Need("ec2:CreateTags", arn, {**iam_conditions.tag_keys(given), **context}) for arn, given in tags.items()
        ]
    if not call.operation.startswith(("Create", "Put")) or not iam_conditions.request_tags(call.parameters):
        return []
    action = f"Tag{call.operation.removeprefix('Create')}" if call.service == "iam" else "TagResource"
    action = "AddTagsToResource" if call.service in ("rds", "ssm") else action
    return [Need(f"{call.service}:{action}", resources[-1])]  # where there are several, the last is what is made


# --- iam:PassRole: who hands a role to a service must be allowed to

_PASSED_ROLES: dict[str, Sequence[str]] = {
    "events:PutRule": ["RoleArn"],
    "glue:CreateCrawler": ["Role"],
    "glue:CreateJob": ["Role"],
    "glue:UpdateCrawler": ["Role"],
    "glue:UpdateJob": ["JobUpdate.Role"],
    "lakeformation:RegisterResource": ["RoleArn"],
    "rds:CreateDBInstance": ["MonitoringRoleArn"],
    "rds:ModifyDBInstance": ["MonitoringRoleArn"],
    "redshift-serverless:CreateNamespace": ["iamRoles"],
    "redshift-serverless:UpdateNamespace": ["iamRoles"],
    "scheduler:CreateSchedule": ["Target.RoleArn"],
    "scheduler:UpdateSchedule": ["Target.RoleArn"],
}
"""Operations and the parameters in which they take names or ARNs of roles that the service will assume."""


def _passed_roles(call: Call) -> list[Need]:
    parameters = _PASSED_ROLES.get(f"{call.service}:{call.operation}", [])
    named = [call.text(*parameters)] if call.text(*parameters) else []
    listed = [role for parameter in parameters for role in call.texts(parameter)]
    context = {"iam:passedtoservice": f"{call.service}.amazonaws.com"}
    return [Need("iam:PassRole", _arn_of_role(call, given), context) for given in [*named, *listed]]


def _arn_of_role(call: Call, given: str) -> str:
    return given if given.startswith("arn:") else role_arn(call.account, given.rsplit("/", 1)[-1])


def role_arn(account: str, name: str) -> str:
    """A role's ARN, with its path when the role exists."""
    roles = list(iam_backends[account]["aws"].roles.values())
    return next((role.arn for role in roles if role.name == name), f"arn:aws:iam::{account}:role/{name}")
