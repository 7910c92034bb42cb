"""Writes what a crawler found into the Glue catalog, with the rights of its role and by its schema change policy."""

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.client import BaseClient

from emulator.glue_crawl_source import SourceTable

_DEPRECATED = "DEPRECATED_BY_CRAWLER"
_STATISTICS = {"averageRecordSize", "objectCount", "recordCount", "sizeKey"}


@dataclass
class Changes:
    """Names of the catalog's tables that a crawl created, updated and deleted (or deprecated)."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


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

    def write(self, found: Iterable[SourceTable], connections: set[str], changes: Changes) -> None:
        """Make the catalog describe the tables found; `connections` are those that were crawled."""
        existing = self._existing()
        described = {_source(table): table for table in existing.values()}
        for table in found:
            source = (table.connection_name, table.location)
            if source in described:
                self._update(described.pop(source), table, changes)
            else:
                name = self._new_name(table, existing)
                existing[name] = self._create(name, table, changes)
        for (connection, _), table in described.items():
            is_mine = table.get("Parameters", {}).get("UPDATED_BY_CRAWLER") == self.crawler_name
            if is_mine and connection in connections:
                self._remove(table, changes)

    def _existing(self) -> dict[str, dict[str, Any]]:
        """Every table of the database by its name; a database that is missing is created."""
        try:
            pages = self.glue.get_paginator("get_tables").paginate(DatabaseName=self.database)
            return {table["Name"]: table for page in pages for table in page["TableList"]}
        except self.glue.exceptions.EntityNotFoundException:
            self.glue.create_database(DatabaseInput={"Name": self.database})
            return {}

    def _new_name(self, table: SourceTable, taken: Mapping[str, Any]) -> str:
        plain = f"{self.prefix}{table.database}_{table.schema}_{table.name}".lower()
        name = re.sub(r"\W", "_", plain)
        return f"{name}_{hashlib.md5(table.location.encode()).hexdigest()}" if name in taken else name

    def _create(self, name: str, table: SourceTable, changes: Changes) -> dict[str, Any]:
        definition = self._definition(name, table)
        self.glue.create_table(DatabaseName=self.database, TableInput=definition)
        self.log(f"INFO : Created table {name} in database {self.database}")
        changes.created.append(name)
        return definition

    def _update(self, existing: Mapping[str, Any], table: SourceTable, changes: Changes) -> None:
        name = existing["Name"]
        definition = self._definition(name, table)
        if _compared(existing) == _compared(definition):
            return
        if self.update_behavior == "LOG":
            self.log(f"INFO : Table {name} in database {self.database} has changed, which is only logged")
            return
        # What others noted on the table stays.
        others = {key: value for key, value in existing.get("Parameters", {}).items() if key != _DEPRECATED}
        definition["Parameters"] = {**others, **definition["Parameters"]}
        self.glue.update_table(DatabaseName=self.database, TableInput=definition)
        self.log(f"INFO : Updated table {name} in database {self.database}")
        changes.updated.append(name)

    def _remove(self, table: Mapping[str, Any], changes: Changes) -> None:
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

    def _definition(self, name: str, table: SourceTable) -> dict[str, Any]:
        """A table as crawlers describe it, in the form of the API's TableInput."""
        parameters = {
            "CrawlerSchemaDeserializerVersion": "1.0",
            "CrawlerSchemaSerializerVersion": "1.0",
            "UPDATED_BY_CRAWLER": self.crawler_name,
            "averageRecordSize": str(table.bytes // table.rows if table.rows else 0),
            "classification": "postgresql",
            "compressionType": "none",
            "connectionName": table.connection_name,
            "objectCount": "1",
            "recordCount": str(table.rows),
            "sizeKey": str(table.bytes),
            "typeOfData": table.kind,
        }
        definition = {
            "Name": name,
            "Parameters": parameters,
            "PartitionKeys": [],
            "Retention": 0,
            "StorageDescriptor": {
                "BucketColumns": [],
                "Columns": _columns(table),
                "Compressed": False,
                "Location": table.location,
                "NumberOfBuckets": -1,
                "Parameters": parameters,
                "SerdeInfo": {"Parameters": {}},
                "SortColumns": [],
                "StoredAsSubDirectories": False,
            },
            "TableType": "EXTERNAL_TABLE",
        }
        if table.comment and "COMMENTS" in table.additional_metadata:
            definition["Description"] = table.comment
        return definition


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


def _columns(table: SourceTable) -> list[dict[str, Any]]:
    columns = []
    for column in table.columns:
        entry: dict[str, Any] = {"Name": column.name.lower(), "Type": column.type}
        if column.comment and "COMMENTS" in table.additional_metadata:
            entry["Comment"] = column.comment
        if "RAWTYPES" in table.additional_metadata:
            entry["Parameters"] = {"rawType": column.raw_type}
        columns.append(entry)
    return columns


def _source(table: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Connection and location of what a table of the catalog describes."""
    connection = table.get("Parameters", {}).get("connectionName")
    return connection, table.get("StorageDescriptor", {}).get("Location")


def _compared(table: Mapping[str, Any]) -> Any:
    """The part of a definition whose change makes a new version: not the statistics, nor what others noted."""
    parameters = table.get("Parameters", {})
    storage = table.get("StorageDescriptor", {})
    return (
        table.get("Description"),
        storage.get("Columns"),
        storage.get("Location"),
        {key: value for key, value in storage.get("Parameters", {}).items() if key not in _STATISTICS},
        _DEPRECATED in parameters,
    )
