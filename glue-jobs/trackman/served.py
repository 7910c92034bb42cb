"""What dataengineering-db is to have: current tables, marts and feeds of the lake, each as one commit left it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import pyarrow as pa

from trackman.bookmark import EPOCH, FRONTIER, Place
from trackman.contract import Contract, FilesContract
from trackman.file_ledger import LAST_BATCH, BatchRecord
from trackman.file_values import lake_column, serving_type
from trackman.iceberg import IcebergCatalog, IcebergTable
from trackman.lsn import format_lsn, parse_lsn
from trackman.marts import MADE_FROM, MadeFrom, Mart
from trackman.postgres import identifier
from trackman.versions import TableVersion

BASE, APP, STAGING = "base", "app", "staging"
"""Schemas of dataengineering-db: the tables, the views that the application reads, rows on their way (see migrate)."""


@dataclass(frozen=True)
class ServedColumn:
    name: str
    type: str
    """Postgres's."""
    comment: str | None


@dataclass(frozen=True)
class ServedTable:
    """A table of the lake, as one commit left it, and what dataengineering-db has of it."""

    name: str
    """In the lake, and of table and view."""
    source: str
    comment: str | None
    key: tuple[str, ...]
    columns: tuple[ServedColumn, ...]
    indexes: tuple[tuple[str, ...], ...]
    """Columns of each, beside the key's."""
    iceberg: IcebergTable
    snapshot_id: int
    schema: pa.Schema
    """Of what is served."""
    position: int
    """A current table's in the source's log; else the snapshot."""
    epoch: int
    frontier: str
    version: TableVersion | None = None
    """Of a current table."""
    is_feed: bool = False

    @property
    def bookmark_key(self) -> tuple[str, str]:
        """Names the table's bookmark."""
        return self.source, self.name

    @property
    def target(self) -> str:
        return identifier(BASE, self.name)

    @property
    def view(self) -> str:
        return identifier(APP, self.name)

    @property
    def staging(self) -> str:
        return identifier(STAGING, self.name)

    def type_of(self, column: str) -> str:
        return next(each.type for each in self.columns if each.name == column)


@dataclass(frozen=True)
class ServedPosition:
    """Up to where dataengineering-db has a table, for those who watch."""

    table: str
    source: str
    history: int | None
    """Of the source's log, of which `position` is an LSN; None when it is a snapshot of the lake's table."""
    position: str
    frontier: str

    @property
    def place(self) -> Place | None:
        """In the source's log; None for what does not follow it."""
        return None if self.history is None else Place(self.history, parse_lsn(self.position))

    @classmethod
    def of(cls, table: ServedTable) -> "ServedPosition":
        history = table.version.history if table.version else None
        position = format_lsn(table.position) if table.version else str(table.position)
        return cls(table.name, table.source, history, position, table.frontier)


def served_tables(versions: Sequence[TableVersion], contracts: Sequence[Contract]) -> list[ServedTable]:
    """The current tables that the contracts serve."""
    by_source = {contract.source: contract for contract in contracts}
    served = []
    for version in versions:
        definition = version.definition
        contract = by_source.get(definition.source)
        if contract is not None and contract.serves(definition.name):
            columns = (ServedColumn(each.name, each.serving_type, each.iceberg[2]) for each in definition.columns)
            served.append(
                ServedTable(
                    version.name,
                    definition.source,
                    definition.comment,
                    definition.key,
                    tuple(columns),
                    contract.indexes.get(definition.name, ()),
                    version.iceberg,
                    version.snapshot_id,
                    version.schema,
                    version.position,
                    version.epoch,
                    version.frontier,
                    version,
                )
            )
    return served


def served_marts(
    catalog: IcebergCatalog, marts: Sequence[Mart], versions: Sequence[TableVersion], marts_database: str
) -> list[ServedTable]:
    """The marts that are there, but for those whose name a current table has."""
    taken = {version.name for version in versions}
    served = []
    for mart in marts:
        iceberg = None if mart.name in taken else catalog.find(marts_database, mart.name)
        # One whose definition changed and that could not be made anew stays as it was served.
        if iceberg is not None and MadeFrom.from_json(iceberg.properties[MADE_FROM]).definition == mart.hash:
            columns = (ServedColumn(each.name, each.serving_type, each.comment) for each in mart.columns)
            served.append(
                ServedTable(
                    mart.name,
                    marts_database,
                    mart.description,
                    mart.key,
                    tuple(columns),
                    (),
                    iceberg,
                    iceberg.snapshot_id,
                    iceberg.layout.schema,
                    iceberg.snapshot_id,
                    int(iceberg.properties[EPOCH]),
                    iceberg.properties[FRONTIER],
                )
            )
    return served


def served_feeds(catalog: IcebergCatalog, contracts: Sequence[FilesContract], lake_database: str) -> list[ServedTable]:
    """The feeds that the contracts serve and of which a run took everything that had landed."""
    served = []
    for contract in contracts:
        iceberg = catalog.find(lake_database, contract.table) if contract.serves else None
        if iceberg is None or not _is_of(contract, iceberg.properties):
            continue
        present = iceberg.layout.schema
        # A column that is new in the contract comes with the feed's next run.
        kept = [column for column in contract.kept if column.name in present.names]
        served.append(
            ServedTable(
                contract.table,
                contract.source,
                None,
                contract.key,
                tuple(ServedColumn(each.name, serving_type(each), lake_column(each)[2]) for each in kept),
                contract.indexes,
                iceberg,
                iceberg.snapshot_id,
                pa.schema([present.field(column.name) for column in kept]),
                iceberg.snapshot_id,
                crc32(repr(contract.key).encode()),  # another key is another table
                iceberg.properties[FRONTIER],
                is_feed=True,
            )
        )
    return served


def _is_of(contract: FilesContract, properties: Mapping[str, str]) -> bool:
    return (
        FRONTIER in properties
        and LAST_BATCH in properties
        and (BatchRecord.from_json(properties[LAST_BATCH]).source == contract.source)
    )
