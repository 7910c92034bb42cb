"""The job maintain on tables that ingest keeps: fewer files, the same rows, and everybody goes on."""

from datetime import timedelta

import boto3
import pytest
from platform_under_test import BUCKET, Recorder, Scenario
from trackman.iceberg import IcebergTable
from trackman.maintenance import MaintenanceReport, maintain

SHOTS = "create table shots (id int primary key, club text)"
KEEP, AT_ONCE = timedelta(days=1), timedelta(0)


def upkeep(scenario: Scenario, table: IcebergTable, keep: timedelta = AT_ONCE, orphan_age: timedelta = KEEP):
    report = maintain(scenario.spark, table, keep, orphan_age)
    assert report.error is None
    return report


def data_files(scenario: Scenario, table: IcebergTable) -> int:
    return scenario.spark.table(f"{table.spark_name}.data_files").count()


def snapshots(scenario: Scenario, table: IcebergTable) -> int:
    return scenario.spark.table(f"{table.spark_name}.snapshots").count()


def ours(table: IcebergTable) -> dict[str, str]:
    return {name: value for name, value in table.properties.items() if name.startswith("trackman.")}


@pytest.fixture
def worn(scenario: Scenario) -> Scenario:
    """A source with a table that came into the lake by many small runs."""
    scenario.on_source(SHOTS, "insert into shots select i, 'driver' from generate_series(1, 20) i")
    scenario.publish_tables("shots")
    scenario.ingest()
    for number in range(5):
        scenario.on_source(
            f"insert into shots values (100 + {number}, 'iron')",
            f"update shots set club = 'wedge' where id = {number + 1}",
            f"delete from shots where id = 20 - {number}",
        )
        scenario.ingest()
    return scenario


def test_small_files_become_few_and_everybody_goes_on(worn: Scenario) -> None:
    worn.migrate()
    worn.publish()
    for table in (worn.lake_table("shots"), worn.change_log):
        before, properties, many = data_files(worn, table), ours(table), snapshots(worn, table)
        rows = worn.spark.table(table.spark_name).count()
        report = upkeep(worn, table)
        after = worn.catalog.find(*table.name.split("."))
        assert report.compacted == before > data_files(worn, after)
        assert worn.spark.table(table.spark_name).count() == rows
        assert ours(after) == properties
        assert snapshots(worn, after) == 1 < many
        assert report.expired >= before
    worn.assert_lake_equals_source("shots")
    worn.assert_each_change_logged_once()

    worn.on_source("update shots set club = 'putter' where id = 3", "delete from shots where id = 100")
    worn.ingest()
    report = worn.publish()["shots"]
    assert (report.reloaded, report.upserted, report.deleted) == (False, 1, 1)
    worn.assert_serving_equals_source("shots")


def test_recent_snapshots_are_kept_so_that_readers_go_on(worn: Scenario) -> None:
    table = worn.lake_table("shots")
    held, rows = table.snapshot_id, sorted(tuple(row) for row in worn.spark.table(table.spark_name).collect())
    report = upkeep(worn, table, keep=KEEP)
    assert (report.compacted > 0, report.expired) == (True, 0)
    read = worn.spark.read.option("snapshot-id", held).table(table.spark_name)
    assert sorted(tuple(row) for row in read.collect()) == rows


def test_files_of_no_snapshot_go_and_neighbours_stay(worn: Scenario) -> None:
    worn.on_source("create table shots_archive (id int primary key)", "insert into shots_archive values (1)")
    worn.on_source("alter publication trackman add table shots_archive")
    worn.crawl("shots_archive")
    worn.ingest()
    table = worn.lake_table("shots")
    key = f"{table.java.location().removeprefix(f's3://{BUCKET}/')}/data/left-behind.parquet"
    s3 = boto3.client("s3")
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"of a run that died")
    assert upkeep(worn, table).orphans == 0  # it may be of a run that is still at it
    assert s3.head_object(Bucket=BUCKET, Key=key)
    assert upkeep(worn, table, orphan_age=timedelta(seconds=-1)).orphans >= 1
    with pytest.raises(s3.exceptions.ClientError, match="404"):
        s3.head_object(Bucket=BUCKET, Key=key)
    worn.assert_lake_equals_source("shots", "shots_archive")


def test_race_that_maintenance_loses_is_left_for_the_next_run(worn: Scenario) -> None:
    table = worn.lake_table("shots")
    worn.on_source("update shots set club = 'late' where id between 1 and 10")
    worn.ingest()
    report = upkeep(worn, table)
    assert report.lost == ["compacted"]
    worn.assert_lake_equals_source("shots")
    assert upkeep(worn, worn.lake_table("shots")).compacted > 0
    worn.assert_lake_equals_source("shots")


def test_race_that_ingest_loses_is_run_again(worn: Scenario) -> None:
    worn.on_source("update shots set club = 'late' where id between 1 and 10")
    steps = Recorder()

    def meanwhile(step: str) -> None:
        steps(step)
        if step == "branch written public.shots" and steps.names.count(step) == 1:
            upkeep(worn, worn.lake_table("shots"))

    assert worn.ingest(meanwhile)["shots"].updated == 10
    assert steps.names.count("branch written public.shots") == 2
    worn.assert_lake_equals_source("shots")
    worn.assert_each_change_logged_once()


def test_step_that_fails_is_reported_and_ends_the_tables(worn: Scenario) -> None:
    table = worn.lake_table("shots")
    s3 = boto3.client("s3")
    [row] = worn.spark.sql(f"select file_path from {table.spark_name}.data_files limit 1").collect()
    s3.delete_object(Bucket=BUCKET, Key=row.file_path.removeprefix(f"s3://{BUCKET}/"))
    report: MaintenanceReport = maintain(worn.spark, table, AT_ONCE, KEEP)
    assert report.error.startswith("compacted: ")
    assert (report.lost, report.expired) == ([], 0)
