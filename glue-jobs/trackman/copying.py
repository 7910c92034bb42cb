"""Copies of whole tables into the lake: the first ones, and those that put right what the log cannot tell.

A copy is of one moment of the source. What happened since is in the change log, from which the table catches up.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import reduce

from pyspark.sql import SparkSession

from trackman.bookmark import EPOCH, Bookmark, Snapshot, bookmark_property
from trackman.change_log import TABLE as CHANGE_LOG
from trackman.checkpoints import Checkpoint, no_checkpoint
from trackman.contract import Contract, TableName, WatermarkContract
from trackman.data_files import DataFile, Layout
from trackman.errors import JobError, RivalRunError, TableError
from trackman.iceberg import IcebergCatalog, IcebergTable, beside_upkeep
from trackman.judging import check_failing, check_rules, failing_rules, judge_row_count
from trackman.lake_table import DEFINITION, Drift, LakeTable, compare, describe
from trackman.partitioning import PartitionField
from trackman.pii import contract_pepper
from trackman.postgres import Server
from trackman.quality import EXAMPLES, CellRule
from trackman.quarantine import check_rejects, quarantine
from trackman.reports import TableReport, added
from trackman.snapshot import (
    CopiedRange,
    ExportedSnapshot,
    copy_ranges,
    exported_snapshot,
    find_unreferenced,
    plan_copy,
)
from trackman.source import source_server
from trackman.source_tables import SourceTable, read_tables
from trackman.watermark_source import alive, session_of


class Copier:
    """What copies tables of one source."""

    def __init__(
        self,
        spark: SparkSession,
        contract: Contract,
        raw_database: str,
        lake_database: str,
        run_id: str,
        pepper: bytes | None,
        checkpoint: Checkpoint,
    ) -> None:
        self._spark = spark
        self._catalog = IcebergCatalog(spark)
        self._contract = contract
        self._raw_database = raw_database
        self._lake_database = lake_database
        self._run_id = run_id
        self._pepper = pepper
        self._checkpoint = checkpoint

    def find(self, name: TableName) -> IcebergTable | None:
        """The lake's table of a source table."""
        table = self._catalog.find(self._lake_database, self._contract.lake_table(name))
        if table is not None:
            text = table.properties.get(DEFINITION)
            stored = LakeTable.from_json(text) if text else None
            if stored is None or (stored.source, stored.name) != (self._contract.source, name):
                held = f"{stored.name} of {stored.source}" if stored else "what came as files"
                raise TableError(
                    f"{name}: {table.name} holds {held}: give one of them another name by the contract (lakeTable)"
                )
        return table

    def compare(self, source_table: SourceTable, history: int) -> "Standing":
        """How the lake's table stands to the source's. Raises TableError when the contract does not fit."""
        table = self.find(source_table.name)
        if table is None:
            return Standing("is new")
        properties = table.properties
        stored = LakeTable.from_json(properties[DEFINITION])
        bookmark = Bookmark.from_json(properties[bookmark_property(self._contract.source)])
        drift = compare(stored, source_table, self._contract.options(source_table.name))
        if drift.incompatible:
            name = source_table.name
            raise TableError(
                f"{name}: {'; '.join(drift.incompatible)}; its changes wait in the change log: when the new type is "
                f"wanted, run `trackman source resnapshot <environment> {self._contract.source} {name}`"
            )
        reasons = list(drift.copy_reasons)
        if bookmark.history != history:
            reasons.append("follows a history of the source that was lost")
        return Standing("; ".join(reasons) or None, table, bookmark, stored, drift)

    def copy(self, server: Server, reasons: Mapping[TableName, str], log: Bookmark) -> list[TableReport]:
        """Copy tables, all of one moment, in parallel ranges. `log` is the change log's bookmark."""
        if not reasons:
            return []
        started = time.monotonic()
        reports, drafts, ranges_of_all = [], {}, []
        by_clock = isinstance(self._contract, WatermarkContract)
        with exported_snapshot(server, log.position if by_clock else None) as (snapshot, connection):
            seen = read_tables(connection, list(reasons))
            for source_table in (seen[name] for name in reasons if name in seen):
                try:
                    draft = self._draft(source_table)
                    rules = self._rules(server, snapshot, source_table, draft)
                except TableError as error:
                    reports.append(TableReport(str(source_table.name), error=str(error)))
                    continue
                print(f"{source_table.name}: {reasons[source_table.name]}, copying it", flush=True)
                drafts[source_table.name] = draft
                ranges_of_all += plan_copy(
                    connection,
                    server,
                    snapshot,
                    source_table,
                    draft.table,
                    draft.layout,
                    self._pepper,
                    self._contract.reject_limit,
                    rules,
                    self._spark.sparkContext.defaultParallelism,
                    alive(source_table, self._contract.options(source_table.name).soft_delete),
                )
            copied = copy_ranges(self._spark.sparkContext, ranges_of_all)
        self._checkpoint("copies written")
        for name, draft in drafts.items():
            report = self._publish(draft, [part for part in copied if part.table == name], snapshot.seen, log.history)
            reports.append(replace(report, seconds=round(time.monotonic() - started, 3)))
            print(f"{name}: {report.error or f'copied {report.read} rows'}", flush=True)
        return reports

    def _rules(
        self, server: Server, snapshot: ExportedSnapshot, source_table: SourceTable, draft: "_Draft"
    ) -> Sequence[CellRule]:
        """What the copy's values are judged by. References are asked of the source, of the same moment."""
        quality = self._contract.options(source_table.name).quality
        check_rules(source_table.name, quality.cells, draft.layout.schema)
        asked = (server, snapshot, source_table, draft.table, draft.layout, self._pepper)
        return [*quality.cells, *(find_unreferenced(*asked, rule) for rule in quality.references)]

    def _draft(self, source_table: SourceTable) -> "_Draft":
        options = self._contract.options(source_table.name)
        table = describe(self._contract.source, source_table, options)
        columns = [column.iceberg for column in table.columns]
        replaced = self.find(table.name)
        if replaced is None:
            try:
                partition_by = [PartitionField.parse(text) for text in options.partition_by]
            except ValueError as error:
                raise TableError(f"{table.name}: {error}") from error
            lake_table = self._contract.lake_table(table.name)
            new = self._catalog.begin_create(self._lake_database, lake_table, columns, partition_by)
            return _Draft(table, new.layout, 0, None, new.publish)

        replacement = replaced.begin_replace(columns, options.columns_with("drop"))
        epoch = replaced.properties[EPOCH]

        def publish(properties: Mapping[str, str], files: Sequence[DataFile]) -> None:
            replacement.publish(self._run_id, {EPOCH: epoch}, properties, files)

        return _Draft(table, replacement.layout, int(epoch), replaced.rows, publish)

    def _publish(self, draft: "_Draft", ranges: Sequence[CopiedRange], seen: Snapshot, history: int) -> TableReport:
        name = draft.table.name
        error = next((part.error for part in ranges if part.error), None)
        if error:
            return TableReport(str(name), error=error)
        rejected = [row for part in ranges for row in part.rejected]
        files = [file for part in ranges for file in part.files]
        rows = sum(file.rows for file in files)
        quality = self._contract.options(name).quality
        violations = reduce(added, (part.violations for part in ranges), {})
        try:
            check_failing(name, failing_rules(quality.columns), violations, _examples(ranges))
            by_rules = {rule.name: violations[rule.name] for rule in quality.columns if rule.action == "quarantine"}
            check_rejects(name, len(rejected), self._contract.reject_limit, by_rules)
            violations |= judge_row_count(name, quality, rows, draft.replaced_rows)
        except TableError as error:
            return TableReport(str(name), error=str(error))
        quarantine(self._spark, self._raw_database, self._contract.source, name, rejected, self._run_id)
        properties = {
            DEFINITION: draft.table.to_json(),
            bookmark_property(self._contract.source): Bookmark(0, snapshot=seen, history=history).to_json(),
            EPOCH: str(max(draft.replaced_epoch + 1, seen.lsn)),
        }
        try:
            beside_upkeep(lambda: draft.publish(properties, files))
        except RivalRunError as error:
            return TableReport(str(name), error=str(error))
        self._checkpoint(f"copied {name}")
        size = sum(file.bytes for file in files)
        return TableReport(
            str(name), read=rows, inserted=rows, quarantined=len(rejected), bytes=size, violations=violations
        )


def _examples(ranges: Sequence[CopiedRange]) -> dict[str, list[str]]:
    examples: dict[str, list[str]] = {}
    for part in ranges:
        for name, keys in part.examples.items():
            examples[name] = [*examples.get(name, ()), *keys][:EXAMPLES]
    return examples


def copy_by_itself(
    spark: SparkSession,
    contract: Contract,
    raw_database: str,
    lake_database: str,
    run_id: str,
    name: TableName,
    checkpoint: Checkpoint = no_checkpoint,
) -> TableReport:
    """A copy of a table that is too large for the time of the job ingest, which goes on with the others meanwhile.

    Raises JobError when the source is not followed yet: only from then on does the change log have what a copy lacks.
    """
    log = IcebergCatalog(spark).find(raw_database, CHANGE_LOG)
    followed = log and log.properties.get(bookmark_property(contract.source))
    if not followed:
        raise JobError(f"{contract.source}: is not followed yet: run the job ingest first")
    server = source_server(contract)
    with closing(server.connect()) as connection:
        source = session_of(contract, connection)
        source.check()
        _, refused = source.tables([name])
    if refused:
        return TableReport(str(name), error=refused[name])
    copier = Copier(spark, contract, raw_database, lake_database, run_id, contract_pepper(contract), checkpoint)
    [report] = copier.copy(server, {name: "was handed over"}, Bookmark.from_json(followed))
    return report


@dataclass(frozen=True)
class Standing:
    """How a table of the lake stands to the source's."""

    copy_reason: str | None
    """Why it has to be copied; None when the change log leads to the source's present."""
    table: IcebergTable | None = None
    bookmark: Bookmark | None = None
    stored: LakeTable | None = None
    drift: Drift | None = None


@dataclass(frozen=True)
class _Draft:
    """A copy that is being made."""

    table: LakeTable
    layout: Layout
    replaced_epoch: int
    replaced_rows: int | None
    """How many the table has that it takes the place of."""
    publish: Callable[[Mapping[str, str], Sequence[DataFile]], None]
