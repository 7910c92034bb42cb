"""Histories: every state that a row of a current table had, and when, in `<table>_history`.

A version holds from the commit that made it (`valid_from`) to the one that ended it (`valid_to`, null for the present).
It is made from the change log, from the table's first copy on. Of a transaction only the outcome counts. What the log
cannot tell, because the table was copied anew, is found by comparing the open versions with the table.
"""

from collections.abc import Sequence
from datetime import datetime

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from trackman.bookmark import EPOCH, FRONTIER, Bookmark, bookmark_property, log_begins, parse_time
from trackman.checkpoints import Checkpoint
from trackman.column_types import ColumnDefinition, is_promotion
from trackman.contract import Contract
from trackman.current import lives_of, quote, typed
from trackman.errors import TableError
from trackman.iceberg import IcebergCatalog, IcebergTable
from trackman.lake_table import LakeTable
from trackman.pending import NOTHING, Span, summarize
from trackman.reports import TableReport

DEFINITION = "trackman.history"
_FROM, VALID_TO = "valid_from", "valid_to"
_PERIOD = [
    (_FROM, "timestamp", "when the row came to be so, by the source's clock, in UTC"),
    (VALID_TO, "timestamp", "when it ceased to be so; null for the present state"),
]
_CLOSES = "trackman_closes"
_SUFFIX = "_history"
UNBORN = "0"
"""Epoch of a history that has no version yet."""


def history_name(lake_table: str) -> str:
    """Of the history of a table of the lake."""
    return f"{lake_table}{_SUFFIX}"


class Histories:
    """What keeps the histories of one source's tables."""

    def __init__(
        self, spark: SparkSession, contract: Contract, lake_database: str, run_id: str, checkpoint: Checkpoint
    ) -> None:
        self._spark = spark
        self._catalog = IcebergCatalog(spark)
        self._contract = contract
        self._lake_database = lake_database
        self._run_id = run_id
        self._checkpoint = checkpoint

    def follow(self, current: IcebergTable, definition: LakeTable, changes: DataFrame) -> TableReport:
        """Bring a table's history to where the table is. `changes` is the source's part of the change log."""
        of = current.properties
        bookmark = bookmark_property(self._contract.source)
        history = self._open(definition)
        # As it was found, not as a rival left it while versions were written.
        found = {name: history.properties[name] for name in (bookmark, EPOCH)}
        epoch = found[EPOCH]
        held, reached = (Bookmark.from_json(each[bookmark]) for each in (found, of))
        written = 0
        is_led_to = (
            epoch != UNBORN and held.history == reached.history and held.position >= log_begins(of, reached.history)
        )
        if is_led_to:
            span = Span(definition.name, held, reached.position)
            summary = summarize(changes, [span]).get(definition.name, NOTHING)
            if summary.changes and not summary.truncated_at:
                lives = lives_of(span.of(changes), definition.key, summary.may_move)
                written += self._write(self._changed(lives, history, definition), history, definition)
            moved = {bookmark: of[bookmark], FRONTIER: of[FRONTIER]}
            history.publish(self._run_id, found, moved)
            found[bookmark] = of[bookmark]
        if epoch != of[EPOCH] or not is_led_to:
            at = parse_time(of[FRONTIER])
            written += self._write(self._differing(history, current, definition, at), history, definition)
            history.publish(self._run_id, found, {name: of[name] for name in (bookmark, FRONTIER, EPOCH)})
        self._checkpoint(f"history published {definition.name}")
        size = history.added_bytes if written else 0
        return TableReport(f"{definition.name} (history)", inserted=written, bytes=size, frontier=of[FRONTIER])

    def _open(self, definition: LakeTable) -> IcebergTable:
        """The history's table, with the columns of the current table."""
        if taken := {name for name, *_ in _PERIOD} & {column.name for column in definition.columns}:
            raise TableError(f"{definition.name}: a history has columns {', '.join(taken)} of its own: keep none of it")
        name = history_name(self._contract.lake_table(definition.name))
        columns = [column.iceberg for column in definition.columns]
        unborn = {
            DEFINITION: definition.to_json(),
            bookmark_property(self._contract.source): Bookmark(0).to_json(),
            EPOCH: UNBORN,
        }
        table = self._catalog.open(self._lake_database, name, [*columns, *_PERIOD], properties=unborn)
        stored = LakeTable.from_json(table.properties[DEFINITION])
        if stored != definition:
            self._check_same_types(stored, columns, table.name)
            dropped = self._contract.options(definition.name).columns_with("drop")
            table.evolve(columns, dropped, {DEFINITION: definition.to_json()})
        return table

    def _check_same_types(self, stored: LakeTable, columns: Sequence[ColumnDefinition], history: str) -> None:
        present = {name: column_type for name, column_type, _ in columns}
        for column in stored.columns:
            if column.name in present and not is_promotion(column.iceberg[1], present[column.name]):
                raise TableError(
                    f"{history}: {column.name} was of another type, which its past states keep: rename the history in "
                    "the catalog, and it begins anew"
                )

    def _changed(self, lives: DataFrame, history: IcebergTable, definition: LakeTable) -> DataFrame:
        """From changes: the versions that they end, by key, and those that they make."""
        names, key = [column.name for column in definition.columns], definition.key
        states = lives.where("has_image").select(
            "life",
            "position",
            "committed_at",
            F.when(F.col("life.arrivals") == 0, F.col("life.key")).alias("origin"),
            (F.col("life.arrivals") > 0).alias("is_new"),
            (F.col("op") == "D").alias("deleted"),
            F.struct(*[F.col("after")[name].alias(name) for name in names]).alias("values"),
            F.struct(
                *[F.coalesce(F.map_contains_key("after", name), F.lit(False)).alias(name) for name in names]
            ).alias("sent"),
        )
        schema = self._spark.table(history.spark_name).schema
        states = typed(
            states, definition, schema, history.layout.schema, self._contract.reject_limit,
            # What a rule keeps out of the table is in none of its past states either.
            self._contract.options(definition.name).quality.cells,
            keep=("life", "position", "committed_at"),
        )  # fmt: skip
        so_far = Window.partitionBy("life").orderBy("position")
        filled = [
            F.last(F.when(F.col("sent")[name], F.struct(F.col("values")[name].alias("v"))), ignorenulls=True)
            .over(so_far)
            .alias(name)
            for name in names
        ]
        in_transaction = Window.partitionBy("life", "position.commit_lsn").orderBy(F.col("position.ordinal").desc())
        in_life = Window.partitionBy("life").orderBy("position")
        states = (
            states.withColumn("sent", F.struct(*filled))
            .withColumn("later", F.row_number().over(in_transaction))
            .where("later = 1")
            .withColumn("ended_at", F.lead("committed_at").over(in_life))
            .withColumn("nth", F.row_number().over(in_life))
        )
        origins = states.where("nth = 1 and not is_new").select("origin.*", F.col("committed_at").alias(VALID_TO))
        touched = (
            self._open_versions(history)
            .join(F.broadcast(origins.select(*map(quote, key))), list(key), "left_semi")
            .select(F.struct(*map(quote, key)).alias("origin"), F.struct(*map(quote, names)).alias("before"))
        )
        made = states.where("not deleted").join(touched, "origin", "left")

        def value(name: str) -> Column:
            sent = F.col("sent")[name]
            return F.when(sent.isNotNull(), sent["v"]).otherwise(F.col("before")[name]).alias(name)

        made = made.select(*map(value, names), F.col("committed_at").alias(_FROM), F.col("ended_at").alias(VALID_TO))
        return _closing(origins).unionByName(_opening(made), allowMissingColumns=True)

    def _differing(
        self, history: IcebergTable, current: IcebergTable, definition: LakeTable, at: datetime
    ) -> DataFrame:
        """From a comparison: the open versions that the table does not have, by key, and what it has instead."""
        names, key = [column.name for column in definition.columns], definition.key
        versions = self._open_versions(history).select(*map(quote, names))
        rows = self._spark.table(current.spark_name).select(*map(quote, names))
        moment = F.lit(at).cast("timestamp_ntz")
        gone = versions.exceptAll(rows).select(*map(quote, key)).withColumn(VALID_TO, moment)
        come = rows.exceptAll(versions).withColumn(_FROM, moment)
        return _closing(gone).unionByName(_opening(come), allowMissingColumns=True)

    def _open_versions(self, history: IcebergTable) -> DataFrame:
        return self._spark.table(history.spark_name).where(f"{VALID_TO} is null")

    def _write(self, changed: DataFrame, history: IcebergTable, definition: LakeTable) -> int:
        """On the run's branch. Returns the number of versions that were made."""
        changed = changed.persist()
        try:
            made = changed.where(f"not {_CLOSES}").count()
            view = f"versions_{self._run_id}"
            changed.createOrReplaceTempView(view)
            columns = [quote(name) for name in [*(column.name for column in definition.columns), _FROM, VALID_TO]]
            same = " and ".join(f"t.{quote(name)} = s.{quote(name)}" for name in definition.key)
            self._spark.sql(f"""
                merge into {history.branch(self._run_id)} t using {view} s
                on s.{_CLOSES} and t.{VALID_TO} is null and {same}
                when matched then update set {VALID_TO} = s.{VALID_TO}
                when not matched and not s.{_CLOSES} then
                  insert ({", ".join(columns)}) values ({", ".join(f"s.{name}" for name in columns)})""")
            self._spark.catalog.dropTempView(view)
        finally:
            changed.unpersist()
        self._checkpoint(f"history written {definition.name}")
        return made


def _closing(keys: DataFrame) -> DataFrame:
    return keys.withColumn(_CLOSES, F.lit(True))


def _opening(versions: DataFrame) -> DataFrame:
    return versions.withColumn(_CLOSES, F.lit(False))
