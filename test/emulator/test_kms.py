"""Customers' keys: their policies, and what services do with them in the caller's name and in their own."""

import json
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Emulator
from roles import Role, allow, policy

OTHER_ACCOUNT = "222222222222"
ACCOUNT_DECIDES = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
BUCKET = "kms-lake"


def refusal(call: Any, **parameters: Any) -> dict[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]


def create_key(emulator: Emulator, *statements: dict[str, Any]) -> str:
    """A key whose policy leaves the account to IAM, with further statements; returns its ARN."""
    kms = emulator.client("kms")
    return kms.create_key(Policy=policy(ACCOUNT_DECIDES, *statements))["KeyMetadata"]["Arn"]


def uses(emulator: Emulator, key: str, role: Role) -> list[tuple[str, str, str]]:
    """What the request log tells of a role's use of a key: action, decision, and through which service."""
    return [
        (record["action"], record["decision"], record["via"])
        for record in emulator.requests()
        if record["resource"] == key and record["role"] == role.arn
    ]


@pytest.fixture(scope="module")
def key(emulator: Emulator) -> str:
    return create_key(emulator)


@pytest.fixture(scope="module")
def key_user(key: str) -> dict[str, Any]:
    return allow(["kms:Decrypt", "kms:GenerateDataKey"], key)


@pytest.fixture(scope="module")
def bucket(emulator: Emulator, key: str) -> str:
    """Encrypted by the key; holds one object."""
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    by_key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    s3.put_bucket_encryption(
        Bucket=BUCKET,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": by_key, "BucketKeyEnabled": True}]
        },
    )
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"content")
    return BUCKET


# --- Key policies


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not in the valid JSON format"),
        (json.dumps({"Version": "2012-10-17", "Statement": []}), "contains no statement"),
        (json.dumps({"Version": "2020-01-01", "Statement": ACCOUNT_DECIDES}), "Policy version 2020-01-01"),
        (policy({**ACCOUNT_DECIDES, "Sid": "Whose", "Principal": {}}), "Statement Whose has no Principal"),
        (policy({**ACCOUNT_DECIDES, "Sid": "What", "Resource": []}), "Statement What has no Resource"),
        (
            policy(ACCOUNT_DECIDES, allow("kms:Decrypt", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/none"})),
            f"one or more invalid principals: arn:aws:iam::{ACCOUNT}:role/none",
        ),
    ],
)
def test_malformed_policies_are_refused(emulator: Emulator, key: str, text: str, message: str) -> None:
    kms = emulator.client("kms")
    for refused in (
        refusal(kms.create_key, Policy=text),
        refusal(kms.put_key_policy, KeyId=key, PolicyName="default", Policy=text),
    ):
        assert refused["Code"] == "MalformedPolicyDocumentException"
        assert message in refused["Message"]


def test_a_policy_that_locks_its_author_out_is_refused(emulator: Emulator) -> None:
    kms = emulator.client("kms")
    role = Role(emulator, "kms-only-user")
    locked = policy(allow("kms:Decrypt", Principal={"AWS": role.arn}))
    assert refusal(kms.create_key, Policy=locked) == {
        "Code": "MalformedPolicyDocumentException",
        "Message": "The new key policy will not allow you to update the key policy in the future.",
    }
    key = kms.create_key(Policy=locked, BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]["KeyId"]
    refused = refusal(kms.put_key_policy, KeyId=key, PolicyName="default", Policy=policy(ACCOUNT_DECIDES))
    assert refused["Message"].endswith("because no resource-based policy allows the kms:PutKeyPolicy action")


def test_rotation(emulator: Emulator, key: str) -> None:
    kms = emulator.client("kms")
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 180)


def test_the_keys_policy_decides_beside_iam(emulator: Emulator) -> None:
    role = Role(emulator, "kms-named")
    not_named = Role(emulator, "kms-not-named", allow("kms:*"))
    key = create_key(emulator, allow("kms:Encrypt", Principal={"AWS": role.arn}))
    assert role.client("kms").encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key  # without any policy of its own

    own = policy(
        allow("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/administrator"}),
        allow("kms:Encrypt", Principal={"AWS": role.arn}),
    )
    emulator.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=own)
    refused = refusal(not_named.client("kms").encrypt, KeyId=key, Plaintext=b"x")
    assert refused["Message"].endswith("because no resource-based policy allows the kms:Encrypt action")


def test_another_accounts_key_needs_both_accounts(emulator: Emulator) -> None:
    role = Role(emulator, "kms-abroad", allow("kms:*"))
    theirs = emulator.client("kms", account=OTHER_ACCOUNT)
    root = {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}
    key = theirs.create_key(Policy=policy(allow("kms:*", Principal=root)))["KeyMetadata"]["Arn"]
    assert "no resource-based policy" in refusal(role.client("kms").describe_key, KeyId=key)["Message"]


# --- S3


def test_a_bucket_encrypted_by_a_key_needs_the_key(
    emulator: Emulator, bucket: str, key: str, key_user: dict[str, Any]
) -> None:
    without = Role(emulator, "kms-s3-without", allow("s3:*"))
    s3 = without.client("s3")
    refused = refusal(s3.get_object, Bucket=bucket, Key="a")
    assert (refused["Code"], f'kms:Decrypt on resource: "{key}"' in refused["Message"]) == ("AccessDenied", True)
    assert "kms:GenerateDataKey on" in refusal(s3.put_object, Bucket=bucket, Key="b", Body=b"x")["Message"]
    assert "kms:GenerateDataKey on" in refusal(s3.create_multipart_upload, Bucket=bucket, Key="b")["Message"]
    assert s3.head_object(Bucket=bucket, Key="a")["ServerSideEncryption"] == "aws:kms"
    assert uses(emulator, key, without) == [
        ("kms:Decrypt", "deny", "s3.amazonaws.com"),
        ("kms:GenerateDataKey", "deny", "s3.amazonaws.com"),
        ("kms:GenerateDataKey", "deny", "s3.amazonaws.com"),
    ]

    having = Role(emulator, "kms-s3-with", allow("s3:*"), key_user)
    s3 = having.client("s3")
    s3.put_object(Bucket=bucket, Key="b", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="b")["Body"].read() == b"x"
    assert uses(emulator, key, having) == [
        ("kms:GenerateDataKey", "allow", "s3.amazonaws.com"),
        ("kms:Decrypt", "allow", "s3.amazonaws.com"),
    ]


def test_an_upload_in_parts_also_decrypts(emulator: Emulator, bucket: str, key: str) -> None:
    s3 = Role(emulator, "kms-s3-parts", allow("s3:*"), allow("kms:GenerateDataKey", key)).client("s3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    refused = refusal(s3.upload_part, Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")
    assert "kms:Decrypt on" in refused["Message"]


def test_an_object_is_read_by_the_key_that_it_was_written_with(emulator: Emulator, bucket: str, key: str) -> None:
    admin, older = emulator.client("s3"), create_key(emulator)
    admin.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": older}
    version = admin.put_object(Bucket=bucket, Key="versions", Body=b"older", **encrypted)["VersionId"]
    admin.put_object(Bucket=bucket, Key="versions", Body=b"newer")
    s3 = Role(emulator, "kms-s3-versions", allow("s3:*"), allow("kms:Decrypt", key)).client("s3")
    assert s3.get_object(Bucket=bucket, Key="versions")["Body"].read() == b"newer"
    refused = refusal(s3.get_object, Bucket=bucket, Key="versions", VersionId=version)
    assert f'kms:Decrypt on resource: "{older}"' in refused["Message"]


def test_conditions_on_service_and_bucket(emulator: Emulator, bucket: str, key: str) -> None:
    def reader(name: str, **condition: str) -> BaseClient:
        decrypt = allow("kms:Decrypt", key, Condition={"StringEquals": condition})
        return Role(emulator, name, allow("s3:*"), decrypt).client("s3")

    by_s3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com", "kms:CallerAccount": ACCOUNT}
    of_bucket = {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}"}  # the bucket's: it has a bucket key
    assert reader("kms-s3-via", **by_s3).get_object(Bucket=bucket, Key="a")
    assert reader("kms-s3-context", **of_bucket).get_object(Bucket=bucket, Key="a")
    by_rds = reader("kms-via-rds", **{"kms:ViaService": f"rds.{REGION}.amazonaws.com"})
    assert "kms:Decrypt on" in refusal(by_rds.get_object, Bucket=bucket, Key="a")["Message"]


def test_a_key_that_cannot_be_used_refuses_everybody(emulator: Emulator) -> None:
    kms, s3 = emulator.client("kms"), emulator.client("s3")
    key = create_key(emulator)
    s3.create_bucket(Bucket="kms-states", CreateBucketConfiguration={"LocationConstraint": REGION})
    encrypted = {"Bucket": "kms-states", "Key": "a", "ServerSideEncryption": "aws:kms"}
    s3.put_object(**encrypted, SSEKMSKeyId=key)
    kms.disable_key(KeyId=key)
    assert refusal(s3.get_object, Bucket="kms-states", Key="a")["Code"] == "KMS.DisabledException"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert refusal(s3.get_object, Bucket="kms-states", Key="a")["Code"] == "KMS.KMSInvalidStateException"
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    assert s3.get_object(Bucket="kms-states", Key="a")
    unknown = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/none"
    assert refusal(s3.put_object, **encrypted, SSEKMSKeyId=unknown)["Code"] == "KMS.NotFoundException"


# --- Secrets and parameters


def test_secrets(emulator: Emulator, key: str, key_user: dict[str, Any]) -> None:
    secret = emulator.client("secretsmanager").create_secret(Name="kms/secret", SecretString="1", KmsKeyId=key)["ARN"]
    without = Role(emulator, "kms-secret-without", allow("secretsmanager:*")).client("secretsmanager")
    assert f"kms:Decrypt on resource: {key}" in refusal(without.get_secret_value, SecretId=secret)["Message"]
    put = refusal(without.put_secret_value, SecretId=secret, SecretString="2")
    assert f"kms:GenerateDataKey on resource: {key}" in put["Message"]
    assert without.describe_secret(SecretId=secret)["Name"] == "kms/secret"

    having = Role(emulator, "kms-secret-with", allow("secretsmanager:*"), key_user)
    client = having.client("secretsmanager")
    client.put_secret_value(SecretId="kms/secret", SecretString="2")
    assert client.get_secret_value(SecretId=secret)["SecretString"] == "2"
    assert set(uses(emulator, key, having)) == {
        ("kms:GenerateDataKey", "allow", "secretsmanager.amazonaws.com"),
        ("kms:Decrypt", "allow", "secretsmanager.amazonaws.com"),
    }

    emulator.client("kms").disable_key(KeyId=key)
    assert refusal(client.get_secret_value, SecretId=secret)["Code"] == "DecryptionFailure"
    emulator.client("kms").enable_key(KeyId=key)


def test_secure_parameters(emulator: Emulator, key: str) -> None:
    secure = {"Name": "/kms/secure", "Type": "SecureString", "KeyId": key, "Overwrite": True}
    emulator.client("ssm").put_parameter(**secure, Value="1")
    reader = Role(emulator, "kms-parameter", allow("ssm:*")).client("ssm")
    for read, names in (
        (reader.get_parameter, {"Name": "/kms/secure"}),
        (reader.get_parameters, {"Names": ["/kms/secure"]}),
        (reader.get_parameters_by_path, {"Path": "/kms"}),
    ):
        assert f"kms:Decrypt on resource: {key}" in refusal(read, **names, WithDecryption=True)["Message"]
        assert read(**names)["ResponseMetadata"]["HTTPStatusCode"] == 200  # still encrypted
    assert f"kms:Encrypt on resource: {key}" in refusal(reader.put_parameter, **secure, Value="2")["Message"]

    context = {"kms:EncryptionContext:PARAMETER_ARN": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/kms/secure"}
    decrypt = allow("kms:Decrypt", key, Condition={"StringEquals": context})
    reader = Role(emulator, "kms-parameter-with", allow("ssm:*"), decrypt).client("ssm")
    assert reader.get_parameter(Name="/kms/secure", WithDecryption=True)["Parameter"]["Value"] == "1"


# --- CloudWatch Logs, in its own name


def test_a_log_group_needs_a_key_that_logs_may_use(emulator: Emulator, key: str) -> None:
    logs = emulator.client("logs")
    group = {"logGroupName": "/kms/group"}
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/kms/group"
    refused = refusal(logs.create_log_group, **group, kmsKeyId=key)
    assert refused["Code"] == "AccessDeniedException"
    expected = f"The specified KMS key does not exist or is not allowed to be used with Arn '{arn}'"
    assert refused["Message"].startswith(expected)

    service = f"logs.{REGION}.amazonaws.com"
    actions = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]

    def usable_for(groups: str) -> str:
        condition = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}}
        return create_key(emulator, allow(actions, Principal={"Service": service}, Condition=condition))

    elsewhere = usable_for(f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/other/*")
    assert refusal(logs.create_log_group, **group, kmsKeyId=elsewhere)["Code"] == "AccessDeniedException"
    usable = usable_for(f"arn:aws:logs:{REGION}:{ACCOUNT}:*")
    logs.create_log_group(**group, kmsKeyId=usable)
    described = logs.describe_log_groups(logGroupNamePrefix="/kms/group")["logGroups"][0]
    assert described["kmsKeyId"] == usable
    logged = {(each["principal"], each["decision"]) for each in emulator.requests() if each["resource"] == usable}
    assert logged == {(service, "allow")}

    logs.disassociate_kms_key(**group)
    assert refusal(logs.associate_kms_key, **group, kmsKeyId=key)["Code"] == "AccessDeniedException"
