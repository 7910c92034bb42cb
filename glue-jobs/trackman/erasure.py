"""What the lake knows of one row beside what the source has now: removed, because a person asked for it.

The source deletes or empties the row first, which the current table, the marts and dataengineering-db follow. What is
left are its changes in the change log, its past states in the history and its values in quarantine. They are removed
here, and every file that had them, or that has rows deleted otherwise, is written anew by the upkeep that follows.
Files and snapshots from before go when the others of their day do.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self
from urllib.parse import unquote

import pyarrow as pa
from pyspark.sql import SparkSession

from trackman import quarantine
from trackman.bookmark import Place
from trackman.change_log import TABLE as CHANGE_LOG
from trackman.checkpoints import Checkpoint, no_checkpoint
from trackman.contract import TableName, parse_table_name
from trackman.current import quote
from trackman.errors import TableError
from trackman.followers import Followed
from trackman.history import VALID_TO, history_name
from trackman.iceberg import IcebergCatalog, IcebergTable, beside_upkeep
from trackman.lake_table import DEFINITION, LakeTable
from trackman.removal import ChangeLogRemoval, Rows, changes_of, look_at, remove


class Request(NamedTuple):
    """A row to be erased."""

    source: str
    table: TableName
    key: tuple[str, ...]
    """The values of its key as text, as the source writes them; of a hashed column the hash."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of `source schema.table value …`, the values percent-encoded."""
        source, table, *key = text.split(" ")
        return cls(source, parse_table_name(table, "--erase"), tuple(map(unquote, key)))


@dataclass(frozen=True)
class Erasure:
    """What was removed of a row."""

    source: str
    erased: str
    """schema.table"""
    changes: int
    versions: int
    """Past states of its history."""
    quarantined: int
    """Values."""
    rows: int
    """That the current table has, as the source does: none when it was deleted there."""
    tables: tuple[str, ...]
    """Whose files have to be written anew."""


def erase(
    spark: SparkSession,
    request: Request,
    raw_database: str,
    lake_database: str,
    followed: Followed,
    checkpoint: Checkpoint = no_checkpoint,
) -> Erasure:
    """Remove a row's past.

    Raises TableError, having removed nothing, for what is no table or key of the lake, and while somebody needs the
    row's changes.
    """
    catalog = IcebergCatalog(spark)
    source, name, _ = request
    table = followed.get((source, name))
    if table is None or not table.lake_tables:
        raise TableError(f"{name} of {source} is no table of the lake: nothing is erased")
    log = catalog.find(raw_database, CHANGE_LOG)
    current = [catalog.find(lake_database, lake_table) for lake_table in table.lake_tables]
    key = _Key(current[0], request)

    changes = changes_of(source, name) & key.in_changes
    found = look_at(spark, log, changes, "count(*) as count", "max(struct(history, commit_lsn)) as last")
    if found["count"]:
        last = Place(*found["last"])
        if waiting := table.behind(Place(last.history, last.position + 1)):
            raise TableError(
                f"{name} of {source}: {', '.join(waiting)} still has to follow the row's last change: nothing is "
                "erased; once the workflow pipeline has run, ask again"
            )
        removal = ChangeLogRemoval(spark, log, lake_database, checkpoint)
        beside_upkeep(lambda: removal.remove(changes, last, table))
    histories = [catalog.find(lake_database, history_name(lake_table)) for lake_table in table.lake_tables]
    past = key.in_rows & Rows(f"{VALID_TO} is not null")
    versions = sum(_remove(spark, history, past) for history in histories)
    checkpoint("versions removed")
    set_aside = catalog.find(raw_database, quarantine.TABLE)
    quarantined = _remove(spark, set_aside, changes_of(source, name) & key.in_quarantine)
    checkpoint("quarantined removed")
    rows = sum(look_at(spark, each, key.in_rows, "count(*)")[0] for each in current)
    touched = (log, set_aside, *current, *histories)
    return Erasure(
        source, str(name), found["count"], versions, quarantined, rows, tuple(each.name for each in touched if each)
    )


def _remove(spark: SparkSession, table: IcebergTable | None, rows: Rows) -> int:
    """How many rows were removed."""
    count = look_at(spark, table, rows, "count(*)")[0] if table else 0
    if count:
        beside_upkeep(lambda: remove(spark, table, rows))
    return count


class _Key:
    """The key of a row, as conditions on the tables that have it."""

    def __init__(self, current: IcebergTable, request: Request) -> None:
        definition = LakeTable.from_json(current.properties[DEFINITION])
        if len(request.key) != len(definition.key):
            raise TableError(
                f"{request.table}: {len(request.key)} values were given for its key {', '.join(definition.key)}"
            )
        texts = dict(zip(definition.key, request.key, strict=True))
        typed = definition.convert({name: pa.array([text]) for name, text in texts.items()}, current.layout.schema)
        self._names = {f"name{i}": name for i, name in enumerate(texts)}
        self._texts = {f"text{i}": text for i, text in enumerate(texts.values())}
        self._typed = {f"typed{i}": values[0].as_py() for i, values in enumerate(typed.values())}

    @property
    def in_rows(self) -> Rows:
        """Of the current table and of its history."""
        columns = zip(self._names.values(), self._typed, strict=True)
        return Rows(" and ".join(f"{quote(name)} = :{value}" for name, value in columns), self._typed)

    @property
    def in_changes(self) -> Rows:
        """Changes from the key or to it."""
        before, after = self._in_map("before"), self._in_map("after")
        return Rows(f"({before.condition}) or ({after.condition})", before.values)

    @property
    def in_quarantine(self) -> Rows:
        return self._in_map("key")

    def _in_map(self, column: str) -> Rows:
        columns = zip(self._names, self._texts, strict=True)
        same = " and ".join(f"coalesce({column}[:{name}] = :{text}, false)" for name, text in columns)
        return Rows(same, {**self._names, **self._texts})
