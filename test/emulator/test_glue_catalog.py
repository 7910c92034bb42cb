"""Concurrent writers of a table: one wins, the others are told."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def glue(client):
    glue = client("glue")
    glue.create_database(DatabaseInput={"Name": "catalog"})
    yield glue
    glue.delete_database(Name="catalog")


def create_table(glue, name: str) -> None:
    glue.create_table(DatabaseName="catalog", TableInput={"Name": name, "Parameters": {"writer": "first"}})


def table(glue, name: str) -> dict:
    return glue.get_table(DatabaseName="catalog", Name=name)["Table"]


def update(glue, name: str, writer: str, **more) -> None:
    glue.update_table(DatabaseName="catalog", TableInput={"Name": name, "Parameters": {"writer": writer}}, **more)


def versions(glue, name: str) -> list[str]:
    return [
        version["VersionId"]
        for version in glue.get_table_versions(DatabaseName="catalog", TableName=name)["TableVersions"]
    ]


def test_update_of_the_version_that_was_read(glue):
    create_table(glue, "current")
    read = table(glue, "current")["VersionId"]
    update(glue, "current", "second", VersionId=read)
    assert table(glue, "current")["Parameters"] == {"writer": "second"}
    assert table(glue, "current")["VersionId"] != read


def test_stale_version_is_refused(glue):
    create_table(glue, "stale")
    read = table(glue, "stale")["VersionId"]
    update(glue, "stale", "rival")
    with pytest.raises(glue.exceptions.ConcurrentModificationException, match=r"catalog\.stale is at version 2, not 1"):
        update(glue, "stale", "late", VersionId=read)
    assert table(glue, "stale")["Parameters"] == {"writer": "rival"}


def test_of_many_rivals_one_wins(glue, client):
    create_table(glue, "contended")
    read = table(glue, "contended")["VersionId"]
    clients = [client("glue") for _ in range(8)]

    def attempt(number: int) -> bool:
        try:
            update(clients[number], "contended", str(number), VersionId=read)
        except clients[number].exceptions.ConcurrentModificationException:
            return False
        return True

    with ThreadPoolExecutor(len(clients)) as pool:
        outcomes = list(pool.map(attempt, range(len(clients))))
    assert outcomes.count(True) == 1
    assert table(glue, "contended")["Parameters"] == {"writer": str(outcomes.index(True))}


def test_of_many_creations_one_wins(glue, client):
    clients = [client("glue") for _ in range(8)]

    def attempt(rival) -> bool:
        try:
            create_table(rival, "created-once")
        except rival.exceptions.AlreadyExistsException:
            return False
        return True

    with ThreadPoolExecutor(len(clients)) as pool:
        assert list(pool.map(attempt, clients)).count(True) == 1


def test_old_versions_are_kept_unless_skipped(glue):
    create_table(glue, "archived")
    update(glue, "archived", "second")
    assert sorted(versions(glue, "archived")) == ["1", "2"]
    for number in range(20):
        update(glue, "archived", str(number), SkipArchive=True)
    assert sorted(versions(glue, "archived")) == ["1", "22"]


def test_current_version_is_not_deleted(glue):
    create_table(glue, "kept")
    with pytest.raises(ClientError, match="Cannot delete the current version 1"):
        glue.delete_table_version(DatabaseName="catalog", TableName="kept", VersionId="1")
    update(glue, "kept", "second")
    glue.delete_table_version(DatabaseName="catalog", TableName="kept", VersionId="1")
    assert versions(glue, "kept") == ["2"]
