"""Iceberg tables through the Java API of the Spark session, for what Spark's SQL cannot say: commits that publish.

A table is changed on a branch `run_<run>` and published by one transaction that checks the bookmark, moves it and
fast-forwards `main` to the branch. The fast-forward is what makes this a compare-and-swap: Iceberg repeats appends and
properties by itself on top of a rival's commit, but refuses a fast-forward to what does not descend from main.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

from py4j.java_gateway import JavaObject, JVMView
from py4j.protocol import Py4JJavaError
from pyspark.errors import IllegalArgumentException
from pyspark.sql import SparkSession

from trackman.column_types import ColumnDefinition, arrow_schema, iceberg_schema, is_promotion, without_ids
from trackman.data_files import DataFile, Layout
from trackman.errors import RivalRunError
from trackman.partitioning import PartitionField

CATALOG = "glue_catalog"
_MAIN = "main"
BRANCH_PREFIX = "run_"
"""Of the branches that runs write to."""
_RACES = 3
# How tables are kept, whatever they hold. Format 2 is what Athena reads.
_TABLE_PROPERTIES = {
    "format-version": "2",
    "write.delete.mode": "merge-on-read",
    "write.update.mode": "merge-on-read",
    "write.merge.mode": "merge-on-read",
    # A merge writes one file a partition, not one for each of its tasks.
    "write.merge.distribution-mode": "hash",
    "write.parquet.compression-codec": "zstd",
    # Every run makes a metadata file for each table, also when it only moves the bookmark.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
}


# In a snapshot's summary.
_ROWS_ADDED_AND_REMOVED = ("added-records", "deleted-records", "added-position-deletes", "added-equality-deletes")


class AddedFile(NamedTuple):
    """A data file that a commit added."""

    location: str
    sequence: int
    """Of the commit: it rises from one to the next."""


class IcebergCatalog:
    """The Glue catalog's Iceberg tables."""

    def __init__(self, spark: SparkSession) -> None:
        self._jvm = spark._jvm
        manager = spark._jsparkSession.sessionState().catalogManager()
        self._catalog = manager.catalog(CATALOG).icebergCatalog()

    def find(self, database: str, table: str) -> "IcebergTable | None":
        """The table as it is now, or None when there is none of that name."""
        name = f"{database}.{table}"
        try:
            table = self._catalog.loadTable(self._identifier(name))
        except Py4JJavaError as error:
            if _java_class(error) == "NoSuchTableException":
                return None
            raise
        return IcebergTable(self._jvm, table, name)

    def open(
        self,
        database: str,
        table: str,
        columns: Iterable[ColumnDefinition],
        partition_by: Sequence[str] = (),
        properties: Mapping[str, str] = MappingProxyType({}),
    ) -> "IcebergTable":
        """The table; when there is none of that name, one without rows. `partition_by` are transforms as text."""
        if (found := self.find(database, table)) is None:
            fields = [PartitionField.parse(text) for text in partition_by]
            self.begin_create(database, table, columns, fields).publish(properties)
            found = self.find(database, table)
        return found

    def tables(self, database: str) -> Iterator["IcebergTable"]:
        """All Iceberg tables of a database, each as it is when it is reached."""
        # A namespace takes an array of Java strings; one that a name was parsed into is had without.
        namespace = self._identifier(f"{database}.*").namespace()
        found = (self.find(database, identifier.name()) for identifier in self._catalog.listTables(namespace))
        return (table for table in found if table)

    def begin_create(
        self,
        database: str,
        table: str,
        columns: Iterable[ColumnDefinition],
        partition_by: Sequence[PartitionField] = (),
    ) -> "NewTable":
        """A table that nobody sees before its first commit."""
        name = f"{database}.{table}"
        java_schema = self._jvm.org.apache.iceberg.SchemaParser.fromJson(json.dumps(iceberg_schema(columns)))
        spec = self._jvm.org.apache.iceberg.PartitionSpec.builderFor(java_schema)
        for field in partition_by:
            getattr(spec, field.transform)(field.column)
        builder = self._catalog.buildTable(self._identifier(name), java_schema)
        builder.withPartitionSpec(spec.build()).withProperties(_TABLE_PROPERTIES)
        return NewTable(self._jvm, builder.createTransaction(), name)

    def _identifier(self, name: str) -> JavaObject:
        return self._jvm.org.apache.iceberg.catalog.TableIdentifier.parse(name)


class IcebergTable:
    """A table as it was when it was last read from the catalog."""

    def __init__(self, jvm: JVMView, table: JavaObject, name: str) -> None:
        self._jvm = jvm
        self._table = table
        self._written_branch: str | None = None
        self.name = name
        """database.table"""

    @property
    def java(self) -> JavaObject:
        """The table in Iceberg's Java API."""
        return self._table

    @property
    def spark_name(self) -> str:
        """As Spark's SQL names it."""
        database, table = self.name.split(".", 1)
        return f"{CATALOG}.`{database}`.`{table}`"

    @property
    def properties(self) -> dict[str, str]:
        return dict(self._table.properties())

    @property
    def snapshot_id(self) -> int:
        """Of main. A table of ours always has one: it is born with it."""
        return self._table.currentSnapshot().snapshotId()

    @property
    def rows(self) -> int | None:
        """How many main has; None when its snapshot does not say."""
        return _rows(self._table.currentSnapshot())

    @property
    def written_rows(self) -> int | None:
        """How many it will have once what was written to the run's branch is published."""
        self._table.refresh()
        branch = self._written_branch
        return _rows(self._table.snapshot(branch)) if branch in self._table.refs() else self.rows

    def has_snapshot(self, snapshot_id: int) -> bool:
        """Whether the table can still be read as that snapshot has it."""
        return self._table.snapshot(snapshot_id) is not None

    def files_added_since(self, snapshot_id: int) -> "list[AddedFile] | None":
        """The files in which every row lies that was added or changed since a snapshot of main.

        None when they do not tell all of it: the snapshot is no more, or rows went that none took the place of.
        """
        files: list[AddedFile] = []
        snapshot = self._table.currentSnapshot()
        while snapshot is not None and snapshot.snapshotId() != snapshot_id:
            if snapshot.operation() != "replace":  # by upkeep: other files, the same rows
                summary = snapshot.summary()
                added, *removed = (int(summary.get(name) or 0) for name in _ROWS_ADDED_AND_REMOVED)
                if sum(removed) > added:
                    return None
                sequence = snapshot.sequenceNumber()
                added_files = snapshot.addedDataFiles(self._table.io())
                files += [AddedFile(str(file.location()), sequence) for file in added_files]
            parent = snapshot.parentId()
            snapshot = None if parent is None else self._table.snapshot(parent)
        return None if snapshot is None else files

    @property
    def uuid(self) -> str:
        """Another table of the same name has another."""
        return self._table.uuid().toString()

    @property
    def added_bytes(self) -> int:
        """Of the files that main's last commit added."""
        return int(self._table.currentSnapshot().summary().get("added-files-size") or 0)

    @property
    def layout(self) -> Layout:
        return _layout(self._jvm, self._table)

    def refresh(self) -> None:
        """Read it from the catalog again."""
        self._table.refresh()

    def begin_replace(self, columns: Iterable[ColumnDefinition], drop: Collection[str]) -> "Replacement":
        """Other contents with other columns. Columns that are in neither argument stay, empty."""
        return Replacement(self._jvm, self, columns, drop)

    def branch(self, run_id: str) -> str:
        """The run's branch at main's head, as Spark's SQL writes to it. Whatever other runs left unpublished goes."""
        branch = _branch(run_id)
        changes = self._table.manageSnapshots()
        for name in list(self._table.refs()):
            if name.startswith(BRANCH_PREFIX):
                changes.removeBranch(name)
        changes.createBranch(branch, self.snapshot_id)
        with _refused_to_rivals(self.name):
            changes.commit()
        self._written_branch = branch
        return f"{self.spark_name}.`branch_{branch}`"

    def publish(
        self,
        run_id: str,
        expected: Mapping[str, str | None],
        properties: Mapping[str, str],
        files: Sequence[DataFile] = (),
    ) -> None:
        """Make the run's branch, or main as it is with `files` added, the new main, and set properties with it.

        Raises RivalRunError, having changed nothing, when the table's properties are no longer as `expected` or when
        somebody else committed meanwhile.
        """
        self._table.refresh()
        _check_expected(self, expected)
        branch = _branch(run_id)
        if self._written_branch == branch and branch not in self._table.refs():
            raise RivalRunError(f"{self.name}: another run removed what this one had written")
        transaction = self._table.newTransaction()
        with _refused_to_rivals(self.name):
            if files:
                append = transaction.newFastAppend().toBranch(branch)
                _add_files(self._jvm, self._table, append.appendFile, files)
                append.commit()
            elif branch not in self._table.refs():
                transaction.manageSnapshots().createBranch(branch, self.snapshot_id).commit()
            _commit_branch(transaction, branch, properties)
        self._written_branch = None
        self._table.refresh()

    def record(self, properties: Mapping[str, str]) -> None:
        """Set properties that no run depends on. Whatever somebody else commits meanwhile stays."""
        with _refused_to_rivals(self.name):
            _put(self._table.updateProperties(), properties)

    def evolve(self, columns: Iterable[ColumnDefinition], drop: Collection[str], properties: Mapping[str, str]) -> None:
        """Add columns or widen them, drop others, and set properties with that. Columns of neither stay."""
        transaction = self._table.newTransaction()
        _evolve(self._jvm, transaction, iceberg_schema(columns), drop)
        _set_properties(transaction, properties)
        with _refused_to_rivals(self.name):
            transaction.commitTransaction()


def beside_upkeep(publish: Callable[[], None]) -> None:
    """Run a publication, again when it lost a race: upkeep leaves what it expects, a rival run does not."""
    for races_left in reversed(range(_RACES)):
        try:
            publish()
            return
        except RivalRunError:
            if not races_left:
                raise


class Replacement:
    """New contents and columns of a table that is read until they are there."""

    def __init__(self, jvm: JVMView, table: "IcebergTable", columns: Iterable[ColumnDefinition], drop: Collection[str]):
        self._jvm = jvm
        self._table = table
        self._columns = iceberg_schema(columns)
        self._drop = drop
        self._replaced_schema = table.java.schema().schemaId()
        draft = table.java.newTransaction()
        _evolve(jvm, draft, self._columns, drop)
        self.layout = _layout(jvm, draft.table())
        """Of the files that `publish` takes."""

    def publish(
        self, run_id: str, expected: Mapping[str, str], properties: Mapping[str, str], files: Sequence[DataFile]
    ) -> None:
        """Replace all rows. What was committed since the replacement began goes with what it changed.

        Raises RivalRunError, having changed nothing, when properties are no longer as `expected`, when the columns were
        changed meanwhile, or when somebody commits at the same moment.
        """
        java = self._table.java
        java.refresh()
        _check_expected(self._table, expected)
        if java.schema().schemaId() != self._replaced_schema:
            raise RivalRunError(f"{self._table.name}: its columns were changed while it was copied")
        branch = _branch(run_id)
        transaction = java.newTransaction()
        with _refused_to_rivals(self._table.name):
            _evolve(self._jvm, transaction, self._columns, self._drop)
            if branch not in java.refs():
                # The snapshot's totals count from what its branch held.
                transaction.manageSnapshots().createBranch(branch, self._table.snapshot_id).commit()
            overwrite = transaction.newOverwrite().toBranch(branch)
            overwrite.overwriteByRowFilter(self._jvm.org.apache.iceberg.expressions.Expressions.alwaysTrue())
            _add_files(self._jvm, transaction.table(), overwrite.addFile, files)
            overwrite.commit()
            _commit_branch(transaction, branch, properties)


class NewTable:
    """A table that comes into being whole: with its first rows and its properties."""

    def __init__(self, jvm: JVMView, transaction: JavaObject, name: str) -> None:
        self._jvm = jvm
        self._transaction = transaction
        self.name = name

    @property
    def layout(self) -> Layout:
        return _layout(self._jvm, self._transaction.table())

    def publish(self, properties: Mapping[str, str], files: Sequence[DataFile] = ()) -> None:
        """Create the table. Raises RivalRunError when one of its name was created meanwhile."""
        # Without files too: a branch needs a snapshot to begin at.
        append = self._transaction.newFastAppend()
        _add_files(self._jvm, self._transaction.table(), append.appendFile, files)
        append.commit()
        _set_properties(self._transaction, properties)
        with _refused_to_rivals(self.name):
            self._transaction.commitTransaction()


def _java_class(error: Py4JJavaError) -> str:
    return error.java_exception.getClass().getSimpleName()


def _branch(run_id: str) -> str:
    return f"{BRANCH_PREFIX}{run_id}"


def _rows(snapshot: JavaObject) -> int | None:
    """By its summary. A row is deleted by one entry of one delete file: merges do so, and upkeep takes what dangles."""
    totals = [snapshot.summary().get(name) for name in ("total-records", "total-position-deletes")]
    return None if None in totals else int(totals[0]) - int(totals[1])


def _layout(jvm: JVMView, table: JavaObject) -> Layout:
    schema = _schema_json(jvm, table.schema())
    names = {field["id"]: field["name"] for field in schema["fields"]}
    fields = [PartitionField(str(field.transform()), names[field.sourceId()]) for field in table.spec().fields()]
    return Layout(table.location(), arrow_schema(schema), fields)


def _evolve(jvm: JVMView, transaction: JavaObject, columns: dict[str, Any], drop: Collection[str]) -> None:
    """Widens columns where Iceberg can, and puts others in the place of those that it cannot widen."""
    present = transaction.table().schema()
    types = {field["name"]: field["type"] for field in _schema_json(jvm, present)["fields"]}
    wanted = jvm.org.apache.iceberg.SchemaParser.fromJson(json.dumps(columns))
    update = transaction.updateSchema()
    for name in drop:
        if name in types:
            update.deleteColumn(name)
    for field, column in zip(columns["fields"], wanted.columns(), strict=True):
        name = field["name"]
        if name in types and is_promotion(without_ids(types[name]), without_ids(field["type"])):
            if types[name] != field["type"] and isinstance(field["type"], str):
                update.updateColumn(name, column.type())
            update.updateColumnDoc(name, column.doc())
            continue
        if name in types:
            update.deleteColumn(name)
        update.addColumn(name, column.type(), column.doc())
    update.commit()


def _commit_branch(transaction: JavaObject, branch: str, properties: Mapping[str, str]) -> None:
    """Make the branch the new main, and set properties with it."""
    _set_properties(transaction, properties)
    transaction.manageSnapshots().fastForwardBranch(_MAIN, branch).removeBranch(branch).commit()
    transaction.commitTransaction()


def _schema_json(jvm: JVMView, schema: JavaObject) -> dict[str, Any]:
    return json.loads(jvm.org.apache.iceberg.SchemaParser.toJson(schema))


def _check_expected(table: IcebergTable, expected: Mapping[str, str | None]) -> None:
    present = table.properties
    for name, value in expected.items():
        if present.get(name) != value:
            raise RivalRunError(f"{table.name}: {name} is {present.get(name)}, it was {value} when this run began")


def _add_files(
    jvm: JVMView, table: JavaObject, add: Callable[[JavaObject], JavaObject], files: Sequence[DataFile]
) -> None:
    """Add files to an operation on the table, by its method `add`."""
    iceberg = jvm.org.apache.iceberg
    metrics_config = iceberg.MetricsConfig.forTable(table)
    for file in files:
        parquet = table.io().newInputFile(file.location)
        data_file = (
            iceberg.DataFiles.builder(table.spec())
            .withInputFile(parquet)
            .withFormat("PARQUET")
            .withMetrics(iceberg.parquet.ParquetUtil.fileMetrics(parquet, metrics_config))
        )
        if file.partition:
            data_file.withPartitionValues(list(file.partition))
        add(data_file.build())


def _set_properties(transaction: JavaObject, properties: Mapping[str, str]) -> None:
    _put(transaction.updateProperties(), properties)


def _put(update: JavaObject, properties: Mapping[str, str]) -> None:
    for name, value in properties.items():
        update.set(name, value)
    update.commit()


@contextmanager
def _refused_to_rivals(table: str) -> Iterator[None]:
    """Tells what a commit says that was beaten to it from all else, such as a commit whose outcome is not known: what
    became of that one the next run reads from the table."""
    try:
        yield
    except Py4JJavaError as error:
        if _java_class(error) not in ("CommitFailedException", "AlreadyExistsException"):
            raise
        raise RivalRunError(f"{table}: somebody else committed: {error.java_exception.getMessage()}") from error
    except IllegalArgumentException as error:
        if "Cannot fast-forward" not in str(error):
            raise
        raise RivalRunError(f"{table}: somebody else committed: {error}") from error
