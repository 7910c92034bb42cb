"""DB instances: real Postgres servers behind TLS, with RDS's rules about them."""

import hashlib
import io
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pg8000.native
import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, Emulator

DEFINITION = {
    "Engine": "postgres",
    "EngineVersion": "16",
    "DBInstanceClass": "db.t4g.micro",
    "AllocatedStorage": 20,
    "MasterUsername": "master",
    "ManageMasterUserPassword": True,
    "DBName": "app",
}
DEFINITION_WITH_PASSWORD = {**DEFINITION, "MasterUserPassword": "first-password"}
del DEFINITION_WITH_PASSWORD["ManageMasterUserPassword"]


class Database:
    """A DB instance and connections to it."""

    def __init__(self, emulator: Emulator, identifier: str, definition: dict[str, Any], account: str = ACCOUNT) -> None:
        self.identifier = identifier
        self.rds = emulator.client("rds", account=account)
        self._secrets = emulator.client("secretsmanager", account=account)
        self.tls = ssl.create_default_context(cafile=str(emulator.ca_file))
        self.rds.create_db_instance(DBInstanceIdentifier=identifier, **definition)
        self.wait_until_available()

    def describe(self) -> dict[str, Any]:
        return self.rds.describe_db_instances(DBInstanceIdentifier=self.identifier)["DBInstances"][0]

    def wait_until_available(self) -> None:
        while (status := self.describe()["DBInstanceStatus"]) != "available":
            assert status in ("creating", "rebooting")
            time.sleep(0.02)

    def master_password(self) -> str:
        secret = self._secrets.get_secret_value(SecretId=self.describe()["MasterUserSecret"]["SecretArn"])
        credentials = json.loads(secret["SecretString"])
        assert credentials["username"] == "master"
        return credentials["password"]

    def connect(
        self, user: str = "master", password: str | None = None, tls: ssl.SSLContext | bool | None = None
    ) -> pg8000.native.Connection:
        endpoint = self.describe()["Endpoint"]
        return pg8000.native.Connection(
            user,
            host=endpoint["Address"],
            port=endpoint["Port"],
            database="app",
            password=password if password is not None else self.master_password(),
            ssl_context=self.tls if tls is None else tls,
        )

    def delete(self) -> None:
        self.rds.delete_db_instance(DBInstanceIdentifier=self.identifier, SkipFinalSnapshot=True)


@pytest.fixture(scope="module")
def group(client) -> str:
    client("rds").create_db_parameter_group(
        DBParameterGroupName="logical", DBParameterGroupFamily="postgres16", Description="for tests"
    )
    set_parameters(client("rds"), "pending-reboot", **{"rds.logical_replication": "1"})
    return "logical"


@pytest.fixture(scope="module")
def database(emulator: Emulator, group: str) -> Iterator[Database]:
    database = Database(emulator, "shared", {**DEFINITION, "DBParameterGroupName": group})
    yield database
    database.delete()


def set_parameters(rds, apply_method: str, **parameters: str) -> None:
    rds.modify_db_parameter_group(
        DBParameterGroupName="logical",
        Parameters=[
            {"ParameterName": name, "ParameterValue": value, "ApplyMethod": apply_method}
            for name, value in parameters.items()
        ],
    )


def refusal(call: Callable, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_description(database):
    description = database.describe()
    assert description["EngineVersion"].startswith("16.")
    assert description["CACertificateIdentifier"] == "rds-ca-rsa2048-g1"
    assert description["DBParameterGroups"] == [{"DBParameterGroupName": "logical", "ParameterApplyStatus": "in-sync"}]
    assert description["DbiResourceId"].startswith("db-")


def test_new_instance_is_creating_and_has_no_endpoint_yet(emulator):
    rds = emulator.client("rds")
    created = rds.create_db_instance(DBInstanceIdentifier="New-One", **DEFINITION)["DBInstance"]
    assert created["DBInstanceIdentifier"] == "new-one"
    assert created["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in created
    assert refusal(rds.reboot_db_instance, DBInstanceIdentifier="new-one")[0] == "InvalidDBInstanceState"
    rds.delete_db_instance(DBInstanceIdentifier="new-one", SkipFinalSnapshot=True)
    assert refusal(rds.describe_db_instances, DBInstanceIdentifier="new-one")[0] == "DBInstanceNotFound"


def test_connection_verifies_the_certificate(database):
    connection = database.connect()
    assert connection.run("select current_database(), current_user, 40 + 2") == [["app", "master", 42]]
    with pytest.raises(ssl.SSLCertVerificationError):
        database.connect(tls=ssl.create_default_context())


def test_certificate_authority_is_described(database, emulator):
    certificate = database.rds.describe_certificates()["Certificates"][0]
    authority = ssl.PEM_cert_to_DER_cert(emulator.ca_file.read_text())
    assert certificate["Thumbprint"] == hashlib.sha1(authority, usedforsecurity=False).hexdigest()
    assert certificate["CertificateIdentifier"] == database.describe()["CACertificateIdentifier"]


def test_wrong_password_is_refused(database):
    with pytest.raises(pg8000.native.DatabaseError, match="28P01"):
        database.connect(password="guess")


def test_master_passwords_are_unique(emulator, database):
    other = Database(emulator, "other", DEFINITION)
    assert other.master_password() != database.master_password()
    assert other.describe()["DbiResourceId"] != database.describe()["DbiResourceId"]
    other.delete()


def test_plaintext_is_refused_while_tls_is_forced(database):
    with pytest.raises(pg8000.native.DatabaseError) as caught:
        database.connect(tls=False)
    assert caught.value.args[0]["C"] == "28000"
    assert caught.value.args[0]["M"] == (
        'no pg_hba.conf entry for host "127.0.0.1", user "master", database "app", no encryption'
    )
    set_parameters(database.rds, "immediate", **{"rds.force_ssl": "0"})
    assert eventually(lambda: database.connect(tls=False).run("select 1") == [[1]])
    set_parameters(database.rds, "immediate", **{"rds.force_ssl": "1"})


def eventually(attempt: Callable[[], bool]) -> bool:
    """Whether an attempt succeeds within some seconds; connections may be refused until then."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if attempt():
                return True
        except pg8000.native.DatabaseError:
            pass
        time.sleep(0.02)
    return False


def test_bulk_data_passes_unchanged(database):
    connection = database.connect()
    connection.run("create temporary table bulk (id int, content text)")
    rows = "".join(f"{number}\t{'x' * 500}\n" for number in range(100_000))  # 50 MB
    connection.run("copy bulk from stdin", stream=io.BytesIO(rows.encode()))
    copied = io.BytesIO()
    connection.run("copy bulk to stdout", stream=copied)
    assert copied.getvalue().decode() == rows


def test_query_is_cancelled(database):
    """A cancel request comes on a connection of its own, and may come in plaintext."""
    connection, watcher = database.connect(), database.connect()
    (pid,) = connection.run("select pg_backend_pid()")[0]
    states: list[str] = []

    def sleep() -> None:
        try:
            connection.run("select pg_sleep(600)")
        except pg8000.native.DatabaseError as error:
            states.append(error.args[0]["C"])

    sleeper = threading.Thread(target=sleep)
    sleeper.start()
    asleep = "select count(*) from pg_stat_activity where pid = :pid and wait_event = 'PgSleep'"
    assert eventually(lambda: watcher.run(asleep, pid=pid) == [[1]])
    with socket.create_connection(("127.0.0.1", database.describe()["Endpoint"]["Port"])) as canceller:
        canceller.sendall(struct.pack("!II", 16, 80877102) + connection._backend_key_data)
        assert canceller.recv(1) == b""  # the server closes it without a word
    sleeper.join()
    assert states == ["57014"]


def test_master_has_the_rights_of_rds_superuser_only(database):
    master = database.connect()
    attributes = (
        "select rolsuper, rolreplication, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user"
    )
    assert master.run(attributes) == [[False, False, True, True]]
    for refused in ("alter system set work_mem = '1MB'", "create publication everything for all tables"):
        with pytest.raises(pg8000.native.DatabaseError, match="42501"):
            master.run(refused)


def test_member_of_rds_replication_reads_changes(database):
    master = database.connect()
    master.run("create table public.measured (id int primary key, value text)")
    master.run("create publication changes for table public.measured")
    master.run("create role reader login password 'reader-password'")
    refused = database.connect("reader", "reader-password")
    with pytest.raises(pg8000.native.DatabaseError, match="42501"):
        refused.run("select pg_create_logical_replication_slot('changes', 'pgoutput')")

    master.run("grant rds_replication to reader")
    reader = database.connect("reader", "reader-password")
    reader.run("select pg_create_logical_replication_slot('changes', 'pgoutput')")
    master.run("insert into public.measured values (1, 'first')")
    messages = reader.run(
        "select data from pg_logical_slot_peek_binary_changes("
        "'changes', null, null, 'proto_version', '1', 'publication_names', 'changes')"
    )
    assert [bytes(data)[:1] for (data,) in messages] == [b"B", b"R", b"I", b"C"]
    reader.run("select pg_replication_slot_advance('changes', pg_current_wal_flush_lsn())")
    reader.run("select pg_drop_replication_slot('changes')")


def test_immediate_parameter_takes_effect_at_once(database):
    set_parameters(database.rds, "immediate", work_mem="65536")
    assert eventually(lambda: database.connect().run("show work_mem") == [["64MB"]])
    database.rds.reset_db_parameter_group(
        DBParameterGroupName="logical", Parameters=[{"ParameterName": "work_mem", "ApplyMethod": "immediate"}]
    )
    assert eventually(lambda: database.connect().run("show work_mem") == [["4MB"]])


def test_static_parameter_waits_for_a_reboot(database):
    set_parameters(database.rds, "pending-reboot", max_connections="50")
    assert database.describe()["DBParameterGroups"][0]["ParameterApplyStatus"] == "pending-reboot"
    assert database.connect().run("show max_connections") == [["100"]]
    endpoint = database.describe()["Endpoint"]
    database.rds.reboot_db_instance(DBInstanceIdentifier="shared")
    database.wait_until_available()
    assert database.describe()["Endpoint"] == endpoint
    assert database.describe()["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"
    assert database.connect().run("show max_connections") == [["50"]]


def test_set_parameters_are_described(database):
    parameters = database.rds.describe_db_parameters(DBParameterGroupName="logical", Source="user")["Parameters"]
    logical = next(parameter for parameter in parameters if parameter["ParameterName"] == "rds.logical_replication")
    assert (logical["ParameterValue"], logical["ApplyType"], logical["Source"]) == ("1", "static", "user")


@pytest.mark.parametrize(
    ("parameter", "value", "method", "code", "message"),
    [
        ("no_such", "1", "immediate", "InvalidParameterValue", "Could not find parameter with name: no_such"),
        ("fsync", "0", "immediate", "InvalidParameterValue", "The parameter fsync cannot be modified."),
        ("max_connections", "9", "immediate", "InvalidParameterCombination", "immediate apply method"),
    ],
)
def test_parameter_is_refused(database, parameter, value, method, code, message):
    answer = refusal(set_parameters, rds=database.rds, apply_method=method, **{parameter: value})
    assert answer[0] == code
    assert message in answer[1]


def test_password_and_port_are_modified(emulator):
    database = Database(emulator, "modified", DEFINITION_WITH_PASSWORD)
    assert database.connect(password="first-password").run("select 1") == [[1]]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    database.rds.modify_db_instance(
        DBInstanceIdentifier="modified", MasterUserPassword="second-password", DBPortNumber=port
    )
    assert database.describe()["Endpoint"]["Port"] == port
    assert database.connect(password="second-password").run("select 1") == [[1]]
    database.rds.modify_db_instance(DBInstanceIdentifier="modified", ManageMasterUserPassword=True)
    assert database.connect().run("select 1") == [[1]]
    database.rds.modify_db_instance(
        DBInstanceIdentifier="modified", ManageMasterUserPassword=False, MasterUserPassword="third-password"
    )
    assert database.connect(password="third-password").run("select 1") == [[1]]
    assert "MasterUserSecret" not in database.describe()
    database.delete()


def test_newest_major_version(emulator):
    database = Database(emulator, "newest", {**DEFINITION, "EngineVersion": "18"})
    assert database.connect().run("show server_version")[0][0] == database.describe()["EngineVersion"]
    database.delete()


def test_deleted_instance_is_gone(emulator):
    database = Database(emulator, "deleted", {**DEFINITION, "DeletionProtection": True})
    connection = database.connect()
    code, _ = refusal(database.rds.delete_db_instance, DBInstanceIdentifier="deleted", SkipFinalSnapshot=True)
    assert code == "InvalidParameterCombination"
    assert connection.run("select 1") == [[1]]

    database.rds.modify_db_instance(DBInstanceIdentifier="deleted", DeletionProtection=False)
    code, message = refusal(database.rds.delete_db_instance, DBInstanceIdentifier="deleted")
    assert (code, "FinalDBSnapshotIdentifier is required" in message) == ("InvalidParameterCombination", True)
    endpoint, secret = database.describe()["Endpoint"], database.describe()["MasterUserSecret"]["SecretArn"]
    database.delete()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((endpoint["Address"], endpoint["Port"]))
    code, _ = refusal(emulator.client("secretsmanager").get_secret_value, SecretId=secret)
    assert code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"DBInstanceIdentifier": "SHARED"}, "DBInstanceAlreadyExists", "already exists"),
        ({"DBInstanceIdentifier": "1st"}, "InvalidParameterValue", "Identifiers must begin with a letter"),
        ({"DBInstanceIdentifier": "a--b"}, "InvalidParameterValue", "two consecutive hyphens"),
        ({"Engine": "mysql"}, "NotImplementedByEmulator", "engine mysql, only postgres"),
        ({"EngineVersion": "9.6"}, "InvalidParameterCombination", "Cannot find version 9.6 for postgres"),
        ({"EngineVersion": "18"}, "InvalidParameterCombination", "DBParameterGroupFamily postgres16 can't be used"),
        ({"AllocatedStorage": 5}, "InvalidParameterValue", "Invalid storage size"),
        ({"MasterUsername": "rdsadmin"}, "InvalidParameterValue", "reserved word"),
        ({"MasterUsername": "1st"}, "InvalidParameterValue", "must begin with a letter"),
        ({"MasterUserPassword": "both-given"}, "InvalidParameterCombination", "ManageMasterUserPassword is enabled"),
        ({"ManageMasterUserPassword": False}, "InvalidParameterValue", "not a valid password"),
        (
            {"ManageMasterUserPassword": False, "MasterUserPassword": "with@sign"},
            "InvalidParameterValue",
            "not a valid password",
        ),
        ({"DBName": "9lives"}, "InvalidParameterValue", "DBName must begin with a letter"),
        ({"Port": 80}, "InvalidParameterValue", "Invalid port 80"),
        ({"DBParameterGroupName": "missing"}, "DBParameterGroupNotFound", "missing"),
        ({"DBSubnetGroupName": "missing"}, "DBSubnetGroupNotFoundFault", "missing"),
    ],
)
def test_instance_is_refused(database, group, changes, code, message):
    definition = {"DBInstanceIdentifier": "refused", **DEFINITION, "DBParameterGroupName": group, **changes}
    answer = refusal(database.rds.create_db_instance, **definition)
    assert answer[0] == code
    assert message in answer[1]


def test_taken_port_is_refused(database):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = refusal(database.rds.create_db_instance, DBInstanceIdentifier="refused", **DEFINITION, Port=port)
    assert answer == ("InvalidParameterValue", f"Port {port} is taken on this machine: leave it out for a free one")


def test_groups_in_use_are_not_deleted(database):
    code, message = refusal(database.rds.delete_db_parameter_group, DBParameterGroupName="logical")
    assert (code, "['shared']" in message) == ("InvalidDBParameterGroupState", True)


def test_subnet_group_covers_two_zones(client):
    ec2, rds = client("ec2"), client("rds")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{number}.0/24", AvailabilityZone=f"eu-central-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("aab")
    ]
    definition = {"DBSubnetGroupName": "zones", "DBSubnetGroupDescription": "for tests"}
    assert refusal(rds.create_db_subnet_group, **definition, SubnetIds=subnets[:2])[0] == (
        "DBSubnetGroupDoesNotCoverEnoughAZs"
    )
    rds.create_db_subnet_group(**definition, SubnetIds=subnets[1:])
    rds.modify_db_subnet_group(DBSubnetGroupName="zones", SubnetIds=subnets)
    described = rds.describe_db_subnet_groups(DBSubnetGroupName="zones")["DBSubnetGroups"][0]
    assert [subnet["SubnetIdentifier"] for subnet in described["Subnets"]] == subnets
    assert refusal(rds.create_db_subnet_group, **definition, SubnetIds=subnets)[0] == "DBSubnetGroupAlreadyExists"
    rds.delete_db_subnet_group(DBSubnetGroupName="zones")


def test_other_ways_to_make_an_instance_are_refused(database):
    code, message = refusal(
        database.rds.create_db_instance_read_replica,
        DBInstanceIdentifier="replica",
        SourceDBInstanceIdentifier="shared",
    )
    assert (code, message) == ("NotImplementedByEmulator", "The emulator has no rds:CreateDBInstanceReadReplica")
