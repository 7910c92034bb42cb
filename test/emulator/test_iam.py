"""Calls under roles, through boto3, as every job, crawler and analyst makes them."""

import re
from collections.abc import Callable

import boto3
import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Emulator
from roles import Role, allow, policy

OTHER_ACCOUNT = "222222222222"

TRUST_GLUE = policy({"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"})


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def refusal(call: Callable[..., object], **parameters: object) -> dict[str, object]:
    """Code, message and HTTP status of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    response = caught.value.response
    return {**response["Error"], "Status": response["ResponseMetadata"]["HTTPStatusCode"]}


@pytest.fixture(scope="module")
def bucket(emulator: Emulator) -> str:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="iam-lake", CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in ("raw/a", "raw/b", "secret/a"):
        s3.put_object(Bucket="iam-lake", Key=key, Body=b"content")
    return "iam-lake"


@pytest.fixture(scope="module")
def reader(emulator: Emulator, bucket: str) -> Role:
    """May read and write raw/ of the bucket, and list it."""
    return Role(
        emulator,
        "iam-reader",
        allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"arn:aws:s3:::{bucket}/raw/*"),
        allow("s3:ListBucket", f"arn:aws:s3:::{bucket}", Condition={"StringLike": {"s3:prefix": "raw/*"}}),
    )


def test_s3_objects(bucket: str, reader: Role) -> None:
    s3 = reader.client("s3", session_name="ada")
    assert s3.get_object(Bucket=bucket, Key="raw/a")["Body"].read() == b"content"
    s3.put_object(Bucket=bucket, Key="raw/new", Body=b"x")

    assert refusal(s3.get_object, Bucket=bucket, Key="secret/a") == {
        "Code": "AccessDenied",
        "Message": f"User: arn:aws:sts::{ACCOUNT}:assumed-role/iam-reader/ada is not authorized to perform: "
        f's3:GetObject on resource: "arn:aws:s3:::{bucket}/secret/a" because no identity-based policy allows the '
        "s3:GetObject action",
        "Status": 403,
    }
    assert refusal(s3.put_object, Bucket=bucket, Key="secret/new", Body=b"x")["Code"] == "AccessDenied"
    assert refusal(s3.head_object, Bucket=bucket, Key="secret/a")["Status"] == 403


def test_s3_listing_by_prefix(bucket: str, reader: Role) -> None:
    s3 = reader.client("s3")
    assert s3.list_objects_v2(Bucket=bucket, Prefix="raw/")["KeyCount"] >= 2
    assert "s3:ListBucket on resource" in refusal(s3.list_objects_v2, Bucket=bucket, Prefix="secret/")["Message"]
    assert refusal(s3.head_bucket, Bucket=bucket)["Status"] == 403  # HeadBucket needs s3:ListBucket
    assert "s3:GetBucketLocation on" in refusal(s3.get_bucket_location, Bucket=bucket)["Message"]
    assert "s3:GetEncryptionConfiguration on" in refusal(s3.get_bucket_encryption, Bucket=bucket)["Message"]
    assert "s3:ListAllMyBuckets on" in refusal(s3.list_buckets)["Message"]


def test_s3_tells_that_an_object_is_missing_only_to_those_who_may_list(
    emulator: Emulator, bucket: str, reader: Role
) -> None:
    assert "s3:ListBucket on" in refusal(reader.client("s3").get_object, Bucket=bucket, Key="raw/none")["Message"]
    lister = Role(
        emulator, "iam-lister", allow(["s3:GetObject", "s3:ListBucket"], ["arn:aws:s3:::*", "arn:aws:s3:::*/*"])
    )
    assert refusal(lister.client("s3").get_object, Bucket=bucket, Key="raw/none")["Code"] == "NoSuchKey"


def test_s3_copy_needs_the_source(bucket: str, reader: Role) -> None:
    s3 = reader.client("s3")
    s3.copy_object(Bucket=bucket, Key="raw/copy", CopySource=f"{bucket}/raw/a")
    refused = refusal(s3.copy_object, Bucket=bucket, Key="raw/copy", CopySource=f"{bucket}/secret/a")
    assert f'"arn:aws:s3:::{bucket}/secret/a"' in refused["Message"]


def test_s3_delete_objects_answers_for_each_key(emulator: Emulator, bucket: str, reader: Role) -> None:
    emulator.client("s3").put_object(Bucket=bucket, Key="raw/old", Body=b"x")
    answer = reader.client("s3").delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "raw/old"}, {"Key": "secret/a"}]}
    )
    assert [each["Key"] for each in answer["Deleted"]] == ["raw/old"]
    assert [(each["Key"], each["Code"]) for each in answer["Errors"]] == [("secret/a", "AccessDenied")]
    assert emulator.client("s3").head_object(Bucket=bucket, Key="secret/a")["ContentLength"] == 7


def test_s3_multipart_upload(emulator: Emulator, bucket: str, reader: Role) -> None:
    s3 = reader.client("s3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="raw/big")["UploadId"]
    refused = refusal(s3.abort_multipart_upload, Bucket=bucket, Key="raw/big", UploadId=upload)
    assert "s3:AbortMultipartUpload on" in refused["Message"]
    part = s3.upload_part(Bucket=bucket, Key="raw/big", UploadId=upload, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="raw/big", UploadId=upload, MultipartUpload=parts)
    assert "s3:PutObject on" in refusal(s3.create_multipart_upload, Bucket=bucket, Key="secret/big")["Message"]


def test_bucket_policies(emulator: Emulator) -> None:
    admin = emulator.client("s3")
    admin.create_bucket(Bucket="iam-policy", CreateBucketConfiguration={"LocationConstraint": REGION})
    admin.put_object(Bucket="iam-policy", Key="open/x", Body=b"x")
    admin.put_object(Bucket="iam-policy", Key="closed/x", Body=b"x")
    named = Role(emulator, "iam-named")
    reads_all = Role(emulator, "iam-reads-all", allow("s3:*"))
    everything = ["arn:aws:s3:::iam-policy", "arn:aws:s3:::iam-policy/*"]
    tls_only = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": everything}
    admin.put_bucket_policy(
        Bucket="iam-policy",
        Policy=policy(
            {**tls_only, "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
            allow("s3:GetObject", "arn:aws:s3:::iam-policy/open/*", Principal={"AWS": named.arn}),
            {**allow("s3:GetObject", "arn:aws:s3:::iam-policy/closed/*"), "Effect": "Deny", "Principal": "*"},
        ),
    )
    assert named.client("s3").get_object(Bucket="iam-policy", Key="open/x")["Body"].read() == b"x"
    assert reads_all.client("s3").get_object(Bucket="iam-policy", Key="open/x")["Body"].read() == b"x"
    refused = refusal(reads_all.client("s3").get_object, Bucket="iam-policy", Key="closed/x")
    assert refused["Message"].endswith("with an explicit deny in a resource-based policy")
    assert refusal(admin.get_object, Bucket="iam-policy", Key="closed/x")["Code"] == "AccessDenied"


def test_s3_of_another_account_needs_its_consent(emulator: Emulator) -> None:
    theirs = emulator.client("s3", account=OTHER_ACCOUNT)
    theirs.create_bucket(Bucket="iam-theirs", CreateBucketConfiguration={"LocationConstraint": REGION})
    theirs.put_object(Bucket="iam-theirs", Key="x", Body=b"x")
    mine = emulator.client("s3")
    refused = refusal(mine.get_object, Bucket="iam-theirs", Key="x")
    assert refused["Message"].endswith("because no resource-based policy allows the s3:GetObject action")
    theirs.put_bucket_policy(
        Bucket="iam-theirs",
        Policy=policy(
            allow("s3:GetObject", "arn:aws:s3:::iam-theirs/*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
        ),
    )
    assert mine.get_object(Bucket="iam-theirs", Key="x")["Body"].read() == b"x"


def test_s3_encrypted_with_a_customers_key_needs_the_key(emulator: Emulator, bucket: str) -> None:
    key = emulator.client("kms").create_key()["KeyMetadata"]["Arn"]
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    emulator.client("s3").put_object(Bucket=bucket, Key="raw/encrypted", Body=b"x", **encrypted)
    without = Role(emulator, "iam-without-key", allow("s3:*")).client("s3")
    refused = refusal(without.get_object, Bucket=bucket, Key="raw/encrypted")
    assert f'kms:Decrypt on resource: "{key}"' in refused["Message"]
    assert "kms:GenerateDataKey on" in refusal(without.put_object, Bucket=bucket, Key="raw/e", **encrypted)["Message"]
    key_user = allow(["kms:Decrypt", "kms:GenerateDataKey"], key)
    with_key = Role(emulator, "iam-with-key", allow("s3:*"), key_user).client("s3")
    with_key.put_object(Bucket=bucket, Key="raw/e", **encrypted)
    assert with_key.get_object(Bucket=bucket, Key="raw/encrypted")["Body"].read() == b"x"


def test_glue_tables_need_table_database_and_catalog(emulator: Emulator) -> None:
    admin = emulator.client("glue")
    for database in ("iam_raw", "iam_marts"):
        admin.create_database(DatabaseInput={"Name": database})
        admin.create_table(DatabaseName=database, TableInput={"Name": "shots"})
    chain = [arn("glue", "catalog"), arn("glue", "database/iam_marts"), arn("glue", "table/iam_marts/*")]
    analyst = Role(emulator, "iam-analyst", allow(["glue:GetTable", "glue:GetTables", "glue:GetDatabase"], chain))
    glue = analyst.client("glue")
    assert glue.get_table(DatabaseName="iam_marts", Name="shots")["Table"]["Name"] == "shots"
    assert len(glue.get_tables(DatabaseName="iam_marts")["TableList"]) == 1
    assert refusal(glue.get_table, DatabaseName="iam_raw", Name="shots") == {
        "Code": "AccessDeniedException",
        "Message": f"User: arn:aws:sts::{ACCOUNT}:assumed-role/iam-analyst/test is not authorized to perform: "
        f"glue:GetTable on resource: {arn('glue', 'database/iam_raw')} because no identity-based policy allows the "
        "glue:GetTable action",
        "Status": 400,
    }
    assert "glue:DeleteTable on" in refusal(glue.delete_table, DatabaseName="iam_marts", Name="shots")["Message"]
    table_only = Role(emulator, "iam-table-only", allow("glue:GetTable", chain[2:]))
    refused = refusal(table_only.client("glue").get_table, DatabaseName="iam_marts", Name="shots")
    assert f"on resource: {arn('glue', 'catalog')} because" in refused["Message"]


TAGS = [{"Key": "a", "Value": "b"}]
INSTANCE = {
    "DBInstanceIdentifier": "two",
    "DBInstanceClass": "db.t4g.micro",
    "Engine": "postgres",
    "EngineVersion": "17.6",
}


@pytest.mark.parametrize(
    ("service", "action", "resource", "operation", "parameters"),
    [
        ("glue", "glue:GetJob", "job/ingest", "get_job", {"JobName": "ingest"}),
        ("glue", "glue:StartJobRun", "job/ingest", "start_job_run", {"JobName": "ingest"}),
        ("glue", "glue:GetCrawler", "crawler/sources", "get_crawler", {"Name": "sources"}),
        ("glue", "glue:GetTrigger", "trigger/hourly", "get_trigger", {"Name": "hourly"}),
        ("glue", "glue:GetWorkflow", "workflow/pipeline", "get_workflow", {"Name": "pipeline"}),
        ("glue", "glue:CreateDatabase", "database/new", "create_database", {"DatabaseInput": {"Name": "new"}}),
        ("athena", "athena:GetWorkGroup", "workgroup/analysts", "get_work_group", {"WorkGroup": "analysts"}),
        ("ssm", "ssm:GetParameter", "parameter/a/b", "get_parameter", {"Name": "/a/b"}),
        ("ssm", "ssm:GetParameters", "parameter/a/b", "get_parameters", {"Names": ["/a/b"]}),
        ("secretsmanager", "secretsmanager:GetSecretValue", "secret:none", "get_secret_value", {"SecretId": "none"}),
        ("kms", "kms:DescribeKey", "key/1234", "describe_key", {"KeyId": "1234"}),
        ("logs", "logs:CreateLogGroup", "log-group:/g:log-stream:", "create_log_group", {"logGroupName": "/g"}),
        (
            "logs",
            "logs:CreateLogStream",
            "log-group:/g:log-stream:s",
            "create_log_stream",
            {"logGroupName": "/g", "logStreamName": "s"},
        ),
        ("rds", "rds:DeleteDBInstance", "db:one", "delete_db_instance", {"DBInstanceIdentifier": "one"}),
        ("cloudwatch", "cloudwatch:DescribeAlarms", "alarm:late", "describe_alarms", {"AlarmNames": ["late"]}),
        ("sns", "sns:GetTopicAttributes", "page", "get_topic_attributes", {"TopicArn": arn("sns", "page")}),
        ("sns", "sns:CreateTopic", "page", "create_topic", {"Name": "page"}),
        ("sns", "sns:Unsubscribe", "page", "unsubscribe", {"SubscriptionArn": arn("sns", "page:1234")}),
        ("events", "events:DescribeRule", "rule/failed", "describe_rule", {"Name": "failed"}),
        ("events", "events:ListTargetsByRule", "rule/failed", "list_targets_by_rule", {"Rule": "failed"}),
        ("rds", "rds:DescribeDBInstances", "db:*", "describe_db_instances", {}),
        ("rds", "rds:CreateDBInstance", "db:two", "create_db_instance", INSTANCE),
        ("rds", "rds:CreateDBInstance", "og:default:postgres-17", "create_db_instance", INSTANCE),
        ("rds", "rds:AddTagsToResource", "db:two", "create_db_instance", {**INSTANCE, "Tags": TAGS}),
        (
            "logs",
            "logs:TagResource",
            "log-group:/g:log-stream:",
            "create_log_group",
            {"logGroupName": "/g", "tags": {"a": "b"}},
        ),
        ("events", "events:TagResource", "rule/r", "put_rule", {"Name": "r", "Tags": TAGS}),
    ],
)
def test_resources_of_services(
    emulator: Emulator, service: str, action: str, resource: str, operation: str, parameters: dict[str, object]
) -> None:
    """A role that may do everything else is refused, and told the resource and what was needed."""
    name = re.sub(r"[^\w-]+", "-", f"iam-all-but-{action}-{resource}")
    deny = {**allow(action, arn(service, resource)), "Effect": "Deny"}
    call = getattr(Role(emulator, name, allow("*"), deny).client(service), operation)
    refused = refusal(call, **parameters)
    if service == "athena":
        assert f"not authorized to perform: {action} on the resource." in refused["Message"]
    else:
        assert f"{action} on resource: {arn(service, resource)} with an explicit deny" in refused["Message"]
    assert refused["Code"] == ("AccessDenied" if service in ("rds", "sns") else "AccessDeniedException")


def test_budgets_have_permissions_of_their_own(emulator: Emulator) -> None:
    budget = f"arn:aws:budgets::{ACCOUNT}:budget/month"
    viewer = Role(emulator, "iam-budgets", allow("budgets:ViewBudget", budget)).client("budgets")
    request = {"AccountId": ACCOUNT, "BudgetName": "month"}
    assert refusal(viewer.describe_budget, **request)["Code"] == "NotFoundException"
    assert f"budgets:ModifyBudget on resource: {budget}" in refusal(viewer.delete_budget, **request)["Message"]


def test_secrets_by_name_and_by_arn(emulator: Emulator) -> None:
    secrets = emulator.client("secretsmanager")
    open_arn = secrets.create_secret(Name="iam/open", SecretString="1")["ARN"]
    closed_arn = secrets.create_secret(Name="iam/closed", SecretString="2")["ARN"]
    readable = arn("secretsmanager", "secret:iam/open-??????")
    role = Role(emulator, "iam-secret", allow("secretsmanager:GetSecretValue", readable))
    client = role.client("secretsmanager")
    assert client.get_secret_value(SecretId="iam/open")["SecretString"] == "1"
    assert client.get_secret_value(SecretId=open_arn)["SecretString"] == "1"
    for secret in ("iam/closed", closed_arn):
        assert f"on resource: {closed_arn} because" in refusal(client.get_secret_value, SecretId=secret)["Message"]


def test_a_key_by_id_arn_and_alias(emulator: Emulator) -> None:
    kms = emulator.client("kms")
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/iam", TargetKeyId=key["KeyId"])
    client = Role(emulator, "iam-key", allow("kms:Encrypt", key["Arn"])).client("kms")
    for name in (key["KeyId"], key["Arn"], "alias/iam", arn("kms", "alias/iam")):
        assert client.encrypt(KeyId=name, Plaintext=b"x")["KeyId"]
    assert f"on resource: {key['Arn']} because" in refusal(client.describe_key, KeyId="alias/iam")["Message"]


def test_who_passes_a_role_must_be_allowed_to(emulator: Emulator) -> None:
    worker = Role(emulator, "iam-worker", AssumeRolePolicyDocument=TRUST_GLUE)
    job = {"Role": worker.arn, "Command": {"Name": "glueetl", "ScriptLocation": "s3://b/k"}}
    without = Role(emulator, "iam-no-pass", allow("glue:*")).client("glue")
    assert f"iam:PassRole on resource: {worker.arn} because" in refusal(without.create_job, Name="j", **job)["Message"]

    def may_pass(service: str) -> dict[str, object]:
        return allow("iam:PassRole", worker.arn, Condition={"StringEquals": {"iam:PassedToService": service}})

    elsewhere = Role(emulator, "iam-pass-rds", allow("glue:*"), may_pass("rds.amazonaws.com")).client("glue")
    assert "iam:PassRole on" in refusal(elsewhere.create_job, Name="j", **{**job, "Role": worker.name})["Message"]
    passing = Role(emulator, "iam-pass", allow("glue:*"), may_pass("glue.amazonaws.com")).client("glue")
    assert passing.create_job(Name="iam-j", **job)["Name"] == "iam-j"


def test_assuming_a_role(emulator: Emulator) -> None:
    glue_only = Role(emulator, "iam-glue-only", AssumeRolePolicyDocument=TRUST_GLUE)
    refused = refusal(glue_only.session)
    assert (refused["Code"], refused["Status"]) == ("AccessDenied", 403)
    assert refused["Message"].endswith("because no role trust policy allows the sts:AssumeRole action")

    target = Role(emulator, "iam-target")
    hop = {"RoleArn": target.arn, "RoleSessionName": "hop"}
    without = Role(emulator, "iam-no-assume").client("sts")
    assert f"sts:AssumeRole on resource: {target.arn} because" in refusal(without.assume_role, **hop)["Message"]
    with_permission = Role(emulator, "iam-assume", allow("sts:AssumeRole", target.arn)).client("sts")
    assert with_permission.assume_role(**hop)["AssumedRoleUser"]["Arn"].endswith("assumed-role/iam-target/hop")
    theirs = emulator.client("sts", account=OTHER_ACCOUNT)
    assert refusal(theirs.assume_role, **hop)["Code"] == "AccessDenied"
    unknown = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/iam-no-such-role", "RoleSessionName": "hop"}
    assert refusal(emulator.client("sts").assume_role, **unknown)["Code"] == "AccessDenied"


def test_boundary_session_policy_and_managed_policy(emulator: Emulator, bucket: str) -> None:
    iam = emulator.client("iam")
    reads_raw = policy(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/raw/*"))
    managed = iam.create_policy(PolicyName="iam-reads-raw", PolicyDocument=reads_raw)["Policy"]["Arn"]

    by_managed = Role(emulator, "iam-managed")
    iam.attach_role_policy(RoleName=by_managed.name, PolicyArn=managed)
    assert by_managed.client("s3").get_object(Bucket=bucket, Key="raw/a")

    bounded = Role(emulator, "iam-bounded", allow("s3:*"), PermissionsBoundary=managed).client("s3")
    assert bounded.get_object(Bucket=bucket, Key="raw/a")
    refused = refusal(bounded.get_object, Bucket=bucket, Key="secret/a")
    assert refused["Message"].endswith("because no permissions boundary allows the s3:GetObject action")

    narrowed = Role(emulator, "iam-narrowed", allow("s3:*")).client("s3", Policy=reads_raw)
    assert narrowed.get_object(Bucket=bucket, Key="raw/a")
    refused = refusal(narrowed.get_object, Bucket=bucket, Key="secret/a")
    assert refused["Message"].endswith("because no session policy allows the s3:GetObject action")


def test_policy_changes_hold_at_once(emulator: Emulator, bucket: str) -> None:
    role = Role(emulator, "iam-changing", allow("s3:GetObject", f"arn:aws:s3:::{bucket}/raw/*"))
    s3, iam = role.client("s3"), emulator.client("iam")
    assert s3.get_object(Bucket=bucket, Key="raw/a")
    iam.delete_role_policy(RoleName=role.name, PolicyName="test")
    assert refusal(s3.get_object, Bucket=bucket, Key="raw/a")["Code"] == "AccessDenied"


def test_users_have_the_policies_of_user_and_group(emulator: Emulator, bucket: str) -> None:
    iam = emulator.client("iam")
    iam.create_user(UserName="iam-eve")
    iam.create_group(GroupName="iam-readers")
    iam.add_user_to_group(GroupName="iam-readers", UserName="iam-eve")
    iam.put_group_policy(
        GroupName="iam-readers",
        PolicyName="p",
        PolicyDocument=policy(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/raw/*")),
    )
    key = iam.create_access_key(UserName="iam-eve")["AccessKey"]
    s3 = boto3.client(
        "s3",
        endpoint_url=emulator.endpoint,
        region_name=REGION,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    assert s3.get_object(Bucket=bucket, Key="raw/a")
    assert "user/iam-eve is not authorized" in refusal(s3.get_object, Bucket=bucket, Key="secret/a")["Message"]


def test_everybody_may_ask_who_they_are(emulator: Emulator) -> None:
    role = Role(emulator, "iam-nobody")
    identity = role.client("sts", session_name="me").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/iam-nobody/me"


def test_every_decision_is_in_the_request_log(emulator: Emulator, bucket: str) -> None:
    s3 = Role(emulator, "iam-logged", allow("s3:GetObject", f"arn:aws:s3:::{bucket}/raw/*")).client("s3")
    s3.get_object(Bucket=bucket, Key="raw/a")
    refusal(s3.copy_object, Bucket=bucket, Key="raw/c", CopySource=f"{bucket}/raw/a")

    principal = f"arn:aws:sts::{ACCOUNT}:assumed-role/iam-logged/test"
    read, copied = (each for each in emulator.requests() if each["principal"] == principal)
    assert (read["action"], read["resource"], read["decision"], read["status"]) == (
        "s3:GetObject",
        f"arn:aws:s3:::{bucket}/raw/a",
        "allow",
        200,
    )
    assert (copied["action"], copied["decision"], copied["status"]) == ("s3:PutObject", "deny", 403)
    assert [(each["action"], each["allowed"]) for each in copied["permissions"]] == [
        ("s3:PutObject", False),
        ("s3:GetObject", True),
    ]


def decisions(emulator: Emulator, role: Role) -> list[tuple[str, str, bool]]:
    """Action, resource and outcome of every decision on a role's calls, as the request log has them."""
    return [
        (permission["action"], permission["resource"].removeprefix("arn:aws:"), permission["allowed"])
        for record in emulator.requests()
        if record["role"] == role.arn
        for permission in record["permissions"]
    ]


def test_one_call_may_need_several_permissions_and_all_are_logged(emulator: Emulator, bucket: str) -> None:
    role = Role(
        emulator,
        "iam-evidence",
        allow(["glue:GetTable", "glue:CreateJob"]),
        allow("s3:DeleteObject", f"arn:aws:s3:::{bucket}/raw/*"),
    )
    worker = Role(emulator, "iam-evidence-worker", AssumeRolePolicyDocument=TRUST_GLUE)
    glue = role.client("glue")
    refusal(glue.get_table, DatabaseName="iam_none", Name="shots")
    job = {"Role": worker.arn, "Command": {"Name": "glueetl", "ScriptLocation": "s3://b/k"}}
    refusal(glue.create_job, Name="evidence", **job)
    keys = {"Objects": [{"Key": "raw/none"}, {"Key": "secret/a"}]}
    role.client("s3").delete_objects(Bucket=bucket, Delete=keys)

    prefix = f"glue:{REGION}:{ACCOUNT}"
    assert decisions(emulator, role) == [
        ("glue:GetTable", f"{prefix}:catalog", True),
        ("glue:GetTable", f"{prefix}:database/iam_none", True),
        ("glue:GetTable", f"{prefix}:table/iam_none/shots", True),
        ("glue:CreateJob", f"{prefix}:job/evidence", True),
        ("iam:PassRole", f"iam::{ACCOUNT}:role/iam-evidence-worker", False),
        ("s3:DeleteObject", f"s3:::{bucket}/raw/none", True),
        ("s3:DeleteObject", f"s3:::{bucket}/secret/a", False),
    ]
