"""Writes what a crawler found into the Glue catalog, with the rights of its role and by its schema change policy."""

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.client import BaseClient

from emulator.glue_crawl_found import FoundPartition, FoundTable

_DEPRECATED = "DEPRECATED_BY_CRAWLER"
_STATISTICS = {"averageRecordSize", "objectCount", "recordCount", "sizeKey"}
_PARTITIONS_PER_CALL = 100

Table = Mapping[str, Any]
"""A table as GetTables describes it."""


@dataclass
class Changes:
    """Names of the catalog's tables that a crawl created, updated and deleted (or deprecated)."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    partitions_created: int = 0
    partitions_deleted: int = 0


@dataclass(frozen=True)
class CatalogWriter:
    """The part of the catalog that one crawler keeps."""

    glue: BaseClient
    crawler_name: str
    database: str
    prefix: str
    update_behavior: str  # of the SchemaChangePolicy: UPDATE_IN_DATABASE or LOG
    delete_behavior: str  # DEPRECATE_IN_DATABASE, DELETE_FROM_DATABASE or LOG
    log: Callable[[str], None]

    def write(self, found: Iterable[FoundTable], was_crawled: Callable[[Table], bool], changes: Changes) -> None:
        """Make the catalog describe the tables found. `was_crawled` says whether a table that was described before, and
        was not found, is gone: whether the store that it is in was crawled.
        """
        existing = self._existing()
        described = {_source(table): table for table in existing.values()}
        for table in found:
            source = (table.connection, table.location)
            if source in described:
                name = self._update(described.pop(source), table, changes)
            else:
                name = self._new_name(table, existing)
                existing[name] = self._create(name, table, changes)
            if table.partition_keys:
                self._write_partitions(name, table, changes)
        for table in described.values():
            is_mine = table.get("Parameters", {}).get("UPDATED_BY_CRAWLER") == self.crawler_name
            if is_mine and was_crawled(table):
                self._remove(table, changes)

    def _existing(self) -> dict[str, dict[str, Any]]:
        """Every table of the database by its name; a database that is missing is created."""
        try:
            pages = self.glue.get_paginator("get_tables").paginate(DatabaseName=self.database)
            return {table["Name"]: table for page in pages for table in page["TableList"]}
        except self.glue.exceptions.EntityNotFoundException:
            self.glue.create_database(DatabaseInput={"Name": self.database})
            return {}

    def _new_name(self, table: FoundTable, taken: Mapping[str, Any]) -> str:
        name = re.sub(r"\W", "_", f"{self.prefix}{table.name}".lower())
        return f"{name}_{hashlib.md5(table.location.encode()).hexdigest()}" if name in taken else name

    def _create(self, name: str, table: FoundTable, changes: Changes) -> dict[str, Any]:
        definition = self._definition(name, table)
        self.glue.create_table(DatabaseName=self.database, TableInput=definition)
        self.log(f"INFO : Created table {name} in database {self.database}")
        changes.created.append(name)
        return definition

    def _update(self, existing: Table, table: FoundTable, changes: Changes) -> str:
        name = existing["Name"]
        definition = self._definition(name, table)
        if _compared(existing) == _compared(definition):
            return name
        if self.update_behavior == "LOG":
            self.log(f"INFO : Table {name} in database {self.database} has changed, which is only logged")
            return name
        # What others noted on the table stays.
        others = {key: value for key, value in existing.get("Parameters", {}).items() if key != _DEPRECATED}
        definition["Parameters"] = {**others, **definition["Parameters"]}
        self.glue.update_table(DatabaseName=self.database, TableInput=definition)
        self.log(f"INFO : Updated table {name} in database {self.database}")
        changes.updated.append(name)
        return name

    def _remove(self, table: Table, changes: Changes) -> None:
        name = table["Name"]
        if self.delete_behavior == "LOG":
            self.log(f"INFO : Table {name} in database {self.database} is gone from the source, which is only logged")
            return
        if self.delete_behavior == "DELETE_FROM_DATABASE":
            self.glue.delete_table(DatabaseName=self.database, Name=name)
            self.log(f"INFO : Deleted table {name} from database {self.database}")
        elif _DEPRECATED not in table["Parameters"]:
            parameters = {**table["Parameters"], _DEPRECATED: str(int(time.time() * 1000))}
            definition = {key: value for key, value in table.items() if key in _TABLE_INPUT}
            self.glue.update_table(DatabaseName=self.database, TableInput={**definition, "Parameters": parameters})
            self.log(f"INFO : Deprecated table {name} in database {self.database}")
        else:
            return
        changes.deleted.append(name)

    def _write_partitions(self, name: str, table: FoundTable, changes: Changes) -> None:
        """Partitions are added whatever the policy of updates, and those that are gone removed by that of deletions."""
        of_table = {"DatabaseName": self.database, "TableName": name}
        pages = self.glue.get_paginator("get_partitions").paginate(**of_table)
        known = {tuple(partition["Values"]) for page in pages for partition in page["Partitions"]}
        found = {tuple(partition.values): partition for partition in table.partitions}
        new = [self._partition(table, partition) for values, partition in found.items() if values not in known]
        for start in range(0, len(new), _PARTITIONS_PER_CALL):
            batch = new[start : start + _PARTITIONS_PER_CALL]
            self.glue.batch_create_partition(**of_table, PartitionInputList=batch)
        changes.partitions_created += len(new)
        gone = [] if self.delete_behavior == "LOG" else sorted(known - found.keys())
        for values in gone:
            self.glue.delete_partition(**of_table, PartitionValues=list(values))
        changes.partitions_deleted += len(gone)
        if new or gone:
            self.log(f"INFO : Table {name}: {len(new)} partitions created, {len(gone)} deleted")

    def _partition(self, table: FoundTable, partition: FoundPartition) -> dict[str, Any]:
        parameters = {**self._parameters(table), **partition.statistics}
        return {
            "Values": list(partition.values),
            "Parameters": parameters,
            "StorageDescriptor": {**_storage(table, parameters), "Location": partition.location},
        }

    def _definition(self, name: str, table: FoundTable) -> dict[str, Any]:
        """A table as crawlers describe it, in the form of the API's TableInput."""
        parameters = self._parameters(table)
        definition = {
            "Name": name,
            "Parameters": parameters,
            "PartitionKeys": list(table.partition_keys),
            "Retention": 0,
            "StorageDescriptor": _storage(table, parameters),
            "TableType": "EXTERNAL_TABLE",
        }
        if table.description:
            definition["Description"] = table.description
        return definition

    def _parameters(self, table: FoundTable) -> dict[str, str]:
        return {
            "CrawlerSchemaDeserializerVersion": "1.0",
            "CrawlerSchemaSerializerVersion": "1.0",
            "UPDATED_BY_CRAWLER": self.crawler_name,
            **table.parameters,
        }


def _storage(table: FoundTable, parameters: Mapping[str, str]) -> dict[str, Any]:
    return {
        "BucketColumns": [],
        "Columns": list(table.columns),
        "Compressed": False,
        "Location": table.location,
        "NumberOfBuckets": -1,
        "Parameters": parameters,
        "SerdeInfo": {"Parameters": {}},
        "SortColumns": [],
        "StoredAsSubDirectories": False,
        **table.storage,
    }


# What UpdateTable takes of what GetTables gives.
_TABLE_INPUT = {
    "Description",
    "Name",
    "Owner",
    "Parameters",
    "PartitionKeys",
    "Retention",
    "StorageDescriptor",
    "TableType",
    "ViewExpandedText",
    "ViewOriginalText",
}


def _source(table: Table) -> tuple[str | None, str | None]:
    """Connection and location of what a table of the catalog describes."""
    connection = table.get("Parameters", {}).get("connectionName")
    return connection, table.get("StorageDescriptor", {}).get("Location")


def _compared(table: Table) -> Any:
    """The part of a definition whose change makes a new version: not the statistics, nor what others noted."""
    parameters = table.get("Parameters", {})
    storage = table.get("StorageDescriptor", {})
    return (
        table.get("Description"),
        table.get("PartitionKeys", []),
        storage.get("Columns"),
        storage.get("Location"),
        storage.get("SerdeInfo"),
        {key: value for key, value in storage.get("Parameters", {}).items() if key not in _STATISTICS},
        _DEPRECATED in parameters,
    )
