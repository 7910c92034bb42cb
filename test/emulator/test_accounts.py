"""Three accounts with the same names in one emulator: they stay apart, and none reaches into another."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import REGION, Emulator
from roles import Role, allow

DEV, STAGING, PROD = ACCOUNTS = ("111111111111", "222222222222", "333333333333")


@pytest.fixture(scope="module")
def platforms(emulator: Emulator) -> dict[str, dict[str, str]]:
    """In each account the same names; only buckets carry the account. Returns what has an ARN of its own."""
    return {account: build(emulator, account) for account in ACCOUNTS}


def build(emulator: Emulator, account: str) -> dict[str, str]:
    def client(service: str) -> Any:
        return emulator.client(service, account=account)

    s3, glue, kms = client("s3"), client("glue"), client("kms")
    for bucket in ("lake", "state"):
        name = f"accounts-{bucket}-{account}"
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket=name, Key="trackman/terraform.tfstate", Body=account.encode())
    glue.create_database(DatabaseInput={"Name": "accounts_lake"})
    glue.create_table(DatabaseName="accounts_lake", TableInput={"Name": "shots", "Description": account})
    key = kms.create_key(Description=account)["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/accounts", TargetKeyId=key)
    secret = client("secretsmanager").create_secret(Name="accounts/secret", SecretString=account, KmsKeyId=key)["ARN"]
    client("ssm").put_parameter(Name="/accounts/url", Type="String", Value=account)
    client("athena").create_work_group(Name="accounts", Description=account)
    client("logs").create_log_group(logGroupName="/accounts")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    role = client("iam").create_role(
        RoleName="accounts-job",
        Description=account,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    return {"key": key, "secret": secret, "role": role["Role"]["Arn"]}


@pytest.fixture(scope="module")
def dev_role(emulator: Emulator) -> Role:
    return Role(emulator, "accounts-dev", allow("*"))


def test_each_account_sees_its_own(emulator: Emulator, platforms: dict[str, dict[str, str]]) -> None:
    for account in ACCOUNTS:

        def client(service: str, account: str = account) -> Any:
            return emulator.client(service, account=account)

        table = client("glue").get_table(DatabaseName="accounts_lake", Name="shots")["Table"]
        group = client("logs").describe_log_groups(logGroupNamePrefix="/accounts")["logGroups"][0]
        assert [
            table["Description"],
            client("kms").describe_key(KeyId="alias/accounts")["KeyMetadata"]["Description"],
            client("secretsmanager").get_secret_value(SecretId="accounts/secret")["SecretString"],
            client("ssm").get_parameter(Name="/accounts/url")["Parameter"]["Value"],
            client("athena").get_work_group(WorkGroup="accounts")["WorkGroup"]["Description"],
            client("iam").get_role(RoleName="accounts-job")["Role"]["Description"],
            group["arn"].split(":")[4],
        ] == [account] * 7
        names = {bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]}
        assert names & {f"accounts-lake-{each}" for each in ACCOUNTS} == {f"accounts-lake-{account}"}
    assert len({platform["key"] for platform in platforms.values()}) == 3


def test_a_name_of_a_bucket_is_taken_for_all(emulator: Emulator, platforms: dict[str, dict[str, str]]) -> None:
    taken = {"Bucket": f"accounts-lake-{PROD}", "CreateBucketConfiguration": {"LocationConstraint": REGION}}
    with pytest.raises(ClientError, match="BucketAlreadyExists"):
        emulator.client("s3", account=DEV).create_bucket(**taken)


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("s3", lambda s3, prod: s3.get_object(Bucket=f"accounts-lake-{PROD}", Key="trackman/terraform.tfstate")),
        ("s3", lambda s3, prod: s3.get_object(Bucket=f"accounts-state-{PROD}", Key="trackman/terraform.tfstate")),
        ("s3", lambda s3, prod: s3.put_object(Bucket=f"accounts-state-{PROD}", Key="trackman/x.tflock", Body=b"")),
        ("s3", lambda s3, prod: s3.list_objects_v2(Bucket=f"accounts-lake-{PROD}")),
        ("s3", lambda s3, prod: s3.delete_bucket_policy(Bucket=f"accounts-lake-{PROD}")),
        ("glue", lambda glue, prod: glue.get_table(CatalogId=PROD, DatabaseName="accounts_lake", Name="shots")),
        ("glue", lambda glue, prod: glue.delete_database(CatalogId=PROD, Name="accounts_lake")),
        ("kms", lambda kms, prod: kms.encrypt(KeyId=prod["key"], Plaintext=b"x")),
        ("secretsmanager", lambda secrets, prod: secrets.get_secret_value(SecretId=prod["secret"])),
        ("ssm", lambda ssm, prod: ssm.get_parameter(Name=f"arn:aws:ssm:{REGION}:{PROD}:parameter/accounts/url")),
        (
            "athena",
            lambda athena, prod: athena.list_tags_for_resource(
                ResourceARN=f"arn:aws:athena:{REGION}:{PROD}:workgroup/accounts"
            ),
        ),
        ("sts", lambda sts, prod: sts.assume_role(RoleArn=prod["role"], RoleSessionName="from-dev")),
    ],
)
@pytest.mark.parametrize("who", ["role", "administrator"])
def test_dev_is_refused_what_is_prods(
    emulator: Emulator,
    platforms: dict[str, dict[str, str]],
    dev_role: Role,
    service: str,
    call: Callable[..., Any],
    who: str,
) -> None:
    """Though it may do everything: across accounts both sides must allow."""
    client = emulator.client(service, account=DEV) if who == "administrator" else dev_role.client(service)
    with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
        call(client, platforms[PROD])


def test_a_workgroup_is_named_in_the_callers_account(emulator: Emulator, platforms: dict[str, dict[str, str]]) -> None:
    emulator.client("athena", account=PROD).create_work_group(Name="accounts-prod-only")
    with pytest.raises(ClientError, match="WorkGroup accounts-prod-only is not found"):
        emulator.client("athena", account=DEV).get_work_group(WorkGroup="accounts-prod-only")
