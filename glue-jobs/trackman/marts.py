"""The stage marts of the job publish: what is derived from the current tables, group by group.

A mart remembers from which versions of its tables it was made. What changed since is in the change log. The groups that
the changed rows were part of, as they were then, and those that they are part of now, are made anew from all of their
rows; the others are as they would be made. Where the change log does not lead from one version to the other, all groups
are made anew.
"""

import hashlib
import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import reduce
from typing import Any, NamedTuple

from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from trackman.bookmark import EPOCH, FRONTIER, Bookmark
from trackman.checkpoints import Checkpoint, no_checkpoint
from trackman.column_types import ColumnDefinition
from trackman.current import quote
from trackman.data_files import write_rows
from trackman.errors import RivalRunError, TableError
from trackman.failures import FAILURES, reason_of
from trackman.iceberg import IcebergCatalog
from trackman.pending import NOTHING, Span, Summary, read_log, summarize
from trackman.session import own_session
from trackman.versions import TableVersion

MADE_FROM = "trackman.made-from"
"""Property of a mart's table: a hash of its definition, and the versions of the tables that it was made from."""

_CHANGED = "changed"
_ACTION = "trackman_action"
# What the lake has for a mart's types that are not its own, and what dataengineering-db has.
_ICEBERG_TYPES = {"uuid": "string"}
_SPARK_TYPES = {"uuid": "string", "long": "bigint", "timestamp": "timestamp_ntz"}
_SERVING_TYPES = {
    "int": "integer",
    "long": "bigint",
    "string": "text",
    "timestamp": "timestamp with time zone",
}


@dataclass(frozen=True)
class MartColumn:
    name: str
    type: str
    """One of boolean, int, long, decimal(p,s), date, timestamp (an instant, in UTC), string, uuid."""
    comment: str

    @property
    def iceberg(self) -> ColumnDefinition:
        """The column of the lake's table."""
        return self.name, _ICEBERG_TYPES.get(self.type, self.type), self.comment

    @property
    def spark_type(self) -> str:
        return _SPARK_TYPES.get(self.type, self.type)

    @property
    def serving_type(self) -> str:
        """Its type in dataengineering-db."""
        return _SERVING_TYPES.get(self.type, self.type.replace("decimal", "numeric"))


@dataclass(frozen=True)
class Mart:
    """What its file says, checked when the platform was synthesized."""

    name: str
    description: str
    key: tuple[str, ...]
    """Tells its groups apart, each of which has at most one row."""
    tables: Mapping[str, str]
    """The lake's tables that it reads, with the query for the groups that rows of the table `changed` are part of."""
    columns: tuple[MartColumn, ...]
    sql: str

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Mart":
        columns = tuple(MartColumn(**column) for column in values["columns"])
        return cls(**{**values, "key": tuple(values["key"]), "columns": columns})

    @property
    def hash(self) -> str:
        """Of all that it is."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:16]

    @property
    def others(self) -> list[str]:
        """The columns beside the key's."""
        return [column.name for column in self.columns if column.name not in self.key]


def load_marts(text: str) -> list[Mart]:
    """The marts of the artifact that the platform ships."""
    return [Mart.from_dict(values) for values in json.loads(text)]


@dataclass(frozen=True)
class UsedVersion:
    """The version of a table that a mart was made from."""

    snapshot: int
    history: int
    position: int
    epoch: int

    @classmethod
    def of(cls, version: TableVersion) -> "UsedVersion":
        return cls(version.snapshot_id, version.history, version.position, version.epoch)


@dataclass(frozen=True)
class MadeFrom:
    """Where a mart's table stands."""

    definition: str
    tables: Mapping[str, UsedVersion]

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "MadeFrom":
        values = json.loads(text)
        return cls(values["definition"], {name: UsedVersion(**used) for name, used in values["tables"].items()})


@dataclass(frozen=True)
class MartReport:
    """What a run did to a mart."""

    mart: str
    rebuilt: str | None = None
    """Why all groups were made anew."""
    groups: int = 0
    """Groups that were made anew, when not all were."""
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    frontier: str | None = None
    seconds: float = 0.0
    waiting: str | None = None
    """Why there is no such mart yet."""
    error: str | None = None


def make_marts(
    spark: SparkSession,
    marts: Sequence[Mart],
    versions: Sequence[TableVersion],
    log: DataFrame,
    marts_database: str,
    run_id: str,
    checkpoint: Checkpoint = no_checkpoint,
) -> Iterator[MartReport]:
    """Bring each mart to these versions of the tables, all of one moment. One that fails does not stop the others.

    `log` is the change log; `checkpoint` is called after each step.
    """
    session = own_session(spark)
    catalog = IcebergCatalog(spark)
    lake = _Lake(session, versions, log)
    makers = [_Maker(session, catalog, mart, lake, marts_database, run_id, checkpoint) for mart in marts]
    lake.look_up(change for maker in makers for change in maker.changes())
    try:
        for maker in makers:
            yield maker.run()
    finally:
        lake.forget()


class _Change(NamedTuple):
    """What became of a table since the version of it at a position."""

    table: str
    since: int


class _Lake:
    """The current tables as they are and as they were, and what the change log says of what lies between. Each is
    looked up once for all marts."""

    def __init__(self, session: SparkSession, versions: Iterable[TableVersion], log: DataFrame) -> None:
        self._session = session
        self._log = log
        self.versions = {version.name: version for version in versions}
        self._rows: dict[tuple[str, int], DataFrame] = {}
        self._summaries: dict[_Change, Summary] = {}
        self._keys: dict[_Change, DataFrame] = {}
        self._changed: dict[tuple[_Change, int], DataFrame] = {}

    def rows(self, name: str, snapshot_id: int | None = None) -> DataFrame:
        """A table's rows now, or in an earlier snapshot."""
        version = self.versions[name]
        place = name, snapshot_id or version.snapshot_id
        if place not in self._rows:
            self._rows[place] = version.rows(self._session, place[1])
        return self._rows[place]

    def look_up(self, changes: Iterable[_Change]) -> None:
        """Summarize changes by as few readings of the log as can be."""
        left = {change for change in changes if change.since < self.versions[change.table].position}
        while left:
            # Marts that were made by the same run have to follow the same changes of a table.
            at_once = list({change.table: change for change in left}.values())
            for source in {self._source(change) for change in at_once}:
                spans = {change: self._span(change) for change in at_once if self._source(change) == source}
                summaries = summarize(read_log(self._log, source), list(spans.values()))
                self._summaries |= {change: summaries.get(span.table, NOTHING) for change, span in spans.items()}
            left -= set(at_once)

    def summary(self, change: _Change) -> Summary:
        if change not in self._summaries:
            self.look_up([change])
        return self._summaries.get(change, NOTHING)

    def changed_rows(self, change: _Change, snapshot_id: int | None = None) -> DataFrame:
        """The rows that changed, as they are now or as they were in an earlier snapshot."""
        version = self.versions[change.table]
        if change not in self._keys:
            changes = self._span(change).of(read_log(self._log, self._source(change)))
            self._keys[change] = version.changed_keys(self._session, changes).distinct().persist()
        place = change, snapshot_id or version.snapshot_id
        if place not in self._changed:
            rows, keys = self.rows(change.table, snapshot_id), self._keys[change]
            self._changed[place] = rows.join(keys, list(version.definition.key), "left_semi").persist()
        return self._changed[place]

    def forget(self) -> None:
        for rows in (*self._keys.values(), *self._changed.values()):
            rows.unpersist()

    def _source(self, change: _Change) -> str:
        return self.versions[change.table].definition.source

    def _span(self, change: _Change) -> Span:
        version = self.versions[change.table]
        start = Bookmark(change.since, history=version.history)
        return Span(version.definition.name, start, version.position)


class _Maker:
    """A run over one mart."""

    def __init__(
        self,
        session: SparkSession,
        catalog: IcebergCatalog,
        mart: Mart,
        lake: _Lake,
        marts_database: str,
        run_id: str,
        checkpoint: Checkpoint,
    ) -> None:
        self._session = session
        self._catalog = catalog
        self._mart = mart
        self._lake = lake
        self._versions = {name: lake.versions[name] for name in mart.tables if name in lake.versions}
        self._database = marts_database
        self._run_id = run_id
        self._checkpoint = checkpoint
        self._find()

    def _find(self) -> None:
        self._table = self._catalog.find(self._database, self._mart.name)
        # As they are now: the table reads its own anew behind a commit, and would show what a rival made of them.
        self._found = self._table.properties if self._table else {}
        self._made_from = MadeFrom.from_json(self._found[MADE_FROM]) if self._table else None

    def changes(self) -> Iterator[_Change]:
        """What has to be known of the change log."""
        if self._made_from is not None and self._made_from.definition == self._mart.hash:
            yield from (self._change(name) for name in self._versions if self._continues(name))

    def run(self) -> MartReport:
        started = time.monotonic()
        name = self._mart.name
        try:
            if name in self._lake.versions:
                raise TableError(f"{name}: the lake has a table of this name, which dataengineering-db has too: rename")
            if missing := [table for table in self._mart.tables if table not in self._versions]:
                report = MartReport(name, waiting=f"the lake has no {', '.join(missing)} yet")
            else:
                report = self._make_despite_rivals()
        except FAILURES as error:
            report = MartReport(name, error=reason_of(error))
        return replace(report, seconds=round(time.monotonic() - started, 3))

    def _make_despite_rivals(self) -> MartReport:
        """Once more, from the mart as whoever was faster left it: upkeep, as a rule."""
        try:
            return self._make()
        except RivalRunError:
            self._find()
            self._run_id += "_again"  # what is on the branch so far was made for another mart
            return self._make()

    def _make(self) -> MartReport:
        if rebuilt := self._reason_to_rebuild():
            counts = self._rebuild()
            return MartReport(self._mart.name, rebuilt=rebuilt, **counts, frontier=self._frontier)
        changed = [name for name in self._versions if self._lake.summary(self._change(name)).changes]
        counts = self._follow(changed) if changed else {}
        self._publish()
        return MartReport(self._mart.name, **counts, frontier=self._frontier)

    # What changed

    def _reason_to_rebuild(self) -> str | None:
        made_from = self._made_from
        if made_from is None:
            return "is new"
        if made_from.definition != self._mart.hash:
            return "its definition changed"
        for name in self._versions:
            if not self._continues(name):
                is_copy = not self._is_of_one_copy(name)
                return f"{name} was copied anew" if is_copy else f"the change log does not lead to {name}"
            summary = self._lake.summary(self._change(name))
            if summary.truncated_at:
                return f"{name} was truncated"
            if summary.changes and not self._versions[name].iceberg.has_snapshot(made_from.tables[name].snapshot):
                return f"{name} can no longer be read as it was"
        return None

    def _continues(self, name: str) -> bool:
        """Whether the change log leads from the version of a table that the mart was made from to the present one."""
        used, version = self._made_from.tables[name], self._versions[name]
        return self._is_of_one_copy(name) and version.log_begins <= used.position <= version.position

    def _is_of_one_copy(self, name: str) -> bool:
        """Whether the mart was made from the copy of a table that the present version comes from."""
        used, version = self._made_from.tables[name], self._versions[name]
        return (used.epoch, used.history) == (version.epoch, version.history)

    def _change(self, name: str) -> _Change:
        return _Change(name, self._made_from.tables[name].position)

    # All groups

    def _rebuild(self) -> dict[str, int]:
        mart = self._mart
        columns = [column.iceberg for column in mart.columns]
        with self._tables(self._now()):
            rows = self._typed(self._session.sql(mart.sql)).persist()
        try:
            keys = F.struct(*map(quote, mart.key))
            totals = rows.agg(
                F.count("*").alias("rows"), F.count_distinct(keys).alias("groups"), self._without_group().alias("lost")
            ).first()
            self._check(totals["rows"] - totals["groups"], totals["lost"])
            if self._table is None:
                new = self._catalog.begin_create(self._database, mart.name, columns)
                files = write_rows(rows, new.layout)
                self._checkpoint(f"written {mart.name}")
                new.publish(self._properties(1), files)
            else:
                names = {column.name for column in mart.columns}
                gone = [name for name in self._table.layout.schema.names if name not in names]
                replacement = self._table.begin_replace(columns, gone)
                files = write_rows(rows, replacement.layout)
                self._checkpoint(f"written {mart.name}")
                properties = self._properties(int(self._found[EPOCH]) + 1)
                replacement.publish(self._run_id, self._expected, properties, files)
        finally:
            rows.unpersist()
        self._checkpoint(f"published {mart.name}")
        return {"inserted": totals["rows"]}

    # The groups that changed

    def _follow(self, changed: Sequence[str]) -> dict[str, int]:
        """Make the groups anew that rows of these tables were or are part of, on the run's branch."""
        mart = self._mart
        groups = self._groups(changed).persist()
        try:
            count = groups.count()  # also what joins to them are planned by
            difference = self._difference(groups).persist()
            try:
                totals = self._totals(difference)
                self._check(totals["doubled"], totals["lost"])
                counts = {action: totals[action] for action in ("inserted", "updated", "deleted")}
                if any(counts.values()):
                    self._merge(difference)
                    self._checkpoint(f"written {mart.name}")
            finally:
                difference.unpersist()
        finally:
            groups.unpersist()
        return {"groups": count, **counts}

    def _groups(self, changed: Sequence[str]) -> DataFrame:
        """The keys of the groups that the changed rows were part of and of those that they are part of."""
        # A table without changes is what it was, though its snapshot may have been expired.
        then = {name: self._made_from.tables[name].snapshot for name in changed}
        found = []
        for snapshots in (then, {}):
            tables = {name: self._lake.rows(name, snapshots.get(name)) for name in self._versions}
            for name in changed:
                rows = self._lake.changed_rows(self._change(name), snapshots.get(name))
                with self._tables({**tables, _CHANGED: rows}):
                    found.append(self._typed(self._session.sql(self._mart.tables[name]), self._mart.key))
        return reduce(DataFrame.union, found).distinct()

    def _difference(self, groups: DataFrame) -> DataFrame:
        """Of the groups, those that are other than what the mart has: with all columns, the number of rows that the
        mart's SQL gives, and what has to be done."""
        mart = self._mart
        with self._tables(self._now()):
            fresh = self._typed(_of_groups(self._session.sql(mart.sql), groups, mart.key))
        fresh = fresh.groupBy(*map(quote, mart.key)).agg(
            F.count("*").alias("n"), F.first(F.struct(*map(quote, mart.others), F.lit(0))).alias("others")
        )
        present = self._session.table(self._table.spark_name)
        present = _of_groups(present, groups, mart.key).select(
            *[F.col(quote(name)).alias(f"present_{i}") for i, name in enumerate(mart.key)],
            F.struct(*map(quote, mart.others), F.lit(0)).alias("present"),
        )
        same_group = _all(F.col(quote(name)).eqNullSafe(F.col(f"present_{i}")) for i, name in enumerate(mart.key))
        action = (
            F.when(F.col("n").isNull(), "deleted")
            .when(F.col("present").isNull(), "inserted")
            .when(~F.col("others").eqNullSafe(F.col("present")), "updated")
            .when(F.col("n") > 1, "none")
        )
        both = (
            fresh.join(present, same_group, "full_outer").withColumn(_ACTION, action).where(F.col(_ACTION).isNotNull())
        )
        gone = F.col(_ACTION) == "deleted"
        return both.select(
            *[
                F.when(gone, F.col(f"present_{i}")).otherwise(F.col(quote(name))).alias(name)
                for i, name in enumerate(mart.key)
            ],
            *[F.col("others")[name].alias(name) for name in mart.others],
            "n",
            _ACTION,
        )

    def _totals(self, difference: DataFrame) -> Row:
        return difference.agg(
            F.count_if(F.col("n") > 1).alias("doubled"),
            self._without_group().alias("lost"),
            *[F.count_if(F.col(_ACTION) == action).alias(action) for action in ("inserted", "updated", "deleted")],
        ).first()

    def _merge(self, difference: DataFrame) -> None:
        mart = self._mart
        branch = self._table.branch(self._run_id)
        names = [quote(column.name) for column in mart.columns]
        assignments = ", ".join(f"{name} = s.{name}" for name in map(quote, mart.others))
        difference.createOrReplaceTempView(view := f"difference_{uuid.uuid4().hex}")
        self._session.sql(f"""
            merge into {branch} as t using {view} as s
            on {" and ".join(f"t.{quote(name)} = s.{quote(name)}" for name in mart.key)}
            when matched and s.{_ACTION} = 'deleted' then delete
            {f"when matched then update set {assignments}" if assignments else ""}
            when not matched then insert ({", ".join(names)}) values ({", ".join(f"s.{name}" for name in names)})""")
        self._session.catalog.dropTempView(view)

    def _publish(self) -> None:
        """What is on the run's branch, or what there is, with what it was made from. Nothing, when that is known."""
        properties = self._properties(int(self._found[EPOCH]))
        if properties.items() <= self._found.items():
            return
        self._table.publish(self._run_id, self._expected, properties)
        self._checkpoint(f"published {self._mart.name}")

    # What all of them need

    @property
    def _frontier(self) -> str:
        """The mart is complete up to where all of its tables are."""
        return min(version.frontier for version in self._versions.values())

    @property
    def _expected(self) -> dict[str, str]:
        return {MADE_FROM: self._found[MADE_FROM]}

    def _properties(self, epoch: int) -> dict[str, str]:
        used = {name: UsedVersion.of(version) for name, version in self._versions.items()}
        return {
            MADE_FROM: MadeFrom(self._mart.hash, used).to_json(),
            EPOCH: str(epoch),
            FRONTIER: self._frontier,
            "comment": self._mart.description,
        }

    def _now(self) -> dict[str, DataFrame]:
        return {name: self._lake.rows(name) for name in self._versions}

    @contextmanager
    def _tables(self, tables: Mapping[str, DataFrame]) -> Iterator[None]:
        """What the mart's SQL finds by these names, and nothing else. A query keeps what it found."""
        for name, rows in tables.items():
            rows.createOrReplaceTempView(name)
        try:
            yield
        finally:
            for name in tables:
                self._session.catalog.dropTempView(name)

    def _typed(self, rows: DataFrame, names: Sequence[str] | None = None) -> DataFrame:
        """Columns of the mart, all or those of some names, as it declares them."""
        by_name = {column.name: column for column in self._mart.columns}
        columns = [by_name[name] for name in names or by_name]
        if missing := [column.name for column in columns if column.name not in rows.columns]:
            raise TableError(f"{self._mart.name}: a query of it gives no {', '.join(missing)}")
        # As SQL, for that goes by the session of the rows; a column's cast by whichever session is the active one.
        return rows.selectExpr(
            *[f"cast({quote(each.name)} as {each.spark_type}) as {quote(each.name)}" for each in columns]
        )

    def _without_group(self) -> Column:
        return F.count_if(reduce(Column.__or__, (F.col(quote(name)).isNull() for name in self._mart.key)))

    def _check(self, doubled: int, lost: int) -> None:
        key = ", ".join(self._mart.key)
        if lost:
            raise TableError(f"{self._mart.name}: its SQL gives {lost} rows with null in {key}")
        if doubled:
            raise TableError(f"{self._mart.name}: {doubled} times its SQL gives more than one row for one {key}")


def _of_groups(rows: DataFrame, groups: DataFrame, key: Sequence[str]) -> DataFrame:
    """The rows of some groups. Spark restricts to them before it aggregates."""
    keys = groups.toDF(*[f"group_{i}" for i in range(len(key))])
    return rows.join(
        keys, _all(rows[quote(name)].eqNullSafe(keys[f"group_{i}"]) for i, name in enumerate(key)), "left_semi"
    )


def _all(conditions: Iterable[Column]) -> Column:
    return reduce(Column.__and__, conditions)
