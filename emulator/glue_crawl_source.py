"""What a crawler finds in a Postgres: it connects through a Glue connection and reads the server's own catalog."""

import json
import re
import ssl
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from emulator import settings
from emulator.glue_crawl_found import CrawlError, FoundTable, statistics
from emulator.glue_crawl_types import catalog_type

ClientFactory = Callable[[str], Any]
"""Makes a boto3 client of a service with the crawler's role."""

_JDBC_URL = re.compile(r"jdbc:(postgresql://[^?]+)(?:\?.*)?")
_DEFAULT_PORT = 5432
_CONNECT_SECONDS = 30

_TABLES = """
    select n.nspname, c.relname, c.relkind, obj_description(c.oid, 'pg_class'),
           greatest(c.reltuples, 0)::bigint, pg_table_size(c.oid),
           array(select a.attname::text from pg_attribute a
                 where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum),
           array(select format_type(coalesce(nullif(t.typbasetype, 0), t.oid),
                                    case when t.typbasetype = 0 then a.atttypmod else t.typtypmod end)
                 from pg_attribute a join pg_type t on t.oid = a.atttypid
                 where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum),
           array(select col_description(c.oid, a.attnum) from pg_attribute a
                 where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    order by n.nspname, c.relname
"""
"""Ordinary and partitioned tables, and views; of a domain its base type."""


def read_tables(target: Mapping[str, Any], client: ClientFactory) -> list[FoundTable]:
    """The tables that a JDBC target of a crawler includes, by schema and name. Raises CrawlError."""
    connection = client("glue").get_connection(Name=target["ConnectionName"])["Connection"]
    server = _Server.of(connection, client)
    is_included = _selection(target)
    additional_metadata = frozenset(target.get("EnableAdditionalMetadata", []))  # of COMMENTS and RAWTYPES
    return [
        FoundTable(
            name=f"{server.database}_{schema}_{name}",
            location=f"{server.database}.{schema}.{name}",
            connection=target["ConnectionName"],
            columns=[_column(*column, additional_metadata) for column in zip(names, types, comments, strict=True)],
            parameters={
                "classification": "postgresql",
                "compressionType": "none",
                "connectionName": target["ConnectionName"],
                "typeOfData": "view" if kind == "v" else "table",
                **statistics(1, rows, size),  # Postgres's estimates
            },
            description=comment if "COMMENTS" in additional_metadata else None,
        )
        for schema, name, kind, comment, rows, size, names, types, comments in server.query(_TABLES)
        if is_included((server.database, schema, name))
    ]


def _column(name: str, raw_type: str, comment: str | None, additional_metadata: frozenset[str]) -> dict[str, Any]:
    column: dict[str, Any] = {"Name": name.lower(), "Type": catalog_type(raw_type)}
    if comment and "COMMENTS" in additional_metadata:
        column["Comment"] = comment
    if "RAWTYPES" in additional_metadata:
        column["Parameters"] = {"rawType": raw_type}
    return column


# --- Which tables

Path = tuple[str, str, str]
"""Database, schema and name of a table."""


def _selection(target: Mapping[str, Any]) -> Callable[[Path], bool]:
    """Whether a table is of the target: by its include path and its exclusions."""
    parts = target["Path"].split("/")
    include = [_pattern(part, {"%": ".*"}) for part in [*parts, *["%"] * (3 - len(parts))]]
    exclude = [
        _pattern(glob, {"%": "[^/]*", "**": ".*", "*": "[^/]*", "?": "[^/]"}) for glob in target.get("Exclusions", [])
    ]

    def is_included(path: Path) -> bool:
        # An exclusion may name the table alone, with its schema, or with schema and database.
        names = ["/".join(path[start:]) for start in range(3)]
        is_excluded = any(pattern.fullmatch(name) for pattern in exclude for name in names)
        return not is_excluded and all(map(re.Pattern.fullmatch, include, path))

    return is_included


def _pattern(text: str, wildcards: Mapping[str, str]) -> re.Pattern[str]:
    words = re.split("(" + "|".join(map(re.escape, wildcards)) + ")", text)
    return re.compile("".join(wildcards.get(word, re.escape(word)) for word in words))


# --- The connection


@dataclass(frozen=True)
class _Server:
    connection_name: str
    host: str
    port: int
    database: str
    user: str
    password: str
    verified_tls: ssl.SSLContext | None  # None: encrypted if the server can, whoever it is

    @classmethod
    def of(cls, connection: Mapping[str, Any], client: ClientFactory) -> "_Server":
        properties = connection["ConnectionProperties"]
        match = _JDBC_URL.fullmatch(properties.get("JDBC_CONNECTION_URL", ""))
        if match is None:
            raise CrawlError(
                f"Connection {connection['Name']}: JDBC_CONNECTION_URL is "
                f"{properties.get('JDBC_CONNECTION_URL')!r}, the emulator crawls jdbc:postgresql://host:port/database"
            )
        url = urlsplit(match[1])
        user, password = _login(properties, client)
        return cls(
            connection_name=connection["Name"],
            host=url.hostname,
            port=url.port or _DEFAULT_PORT,
            database=url.path.removeprefix("/"),
            user=user,
            password=password,
            verified_tls=_trust(properties, client) if properties.get("JDBC_ENFORCE_SSL") == "true" else None,
        )

    def query(self, sql: str) -> list[list[Any]]:
        try:
            with closing(self._connect()) as connection:
                return connection.run(sql)
        except (DatabaseError, InterfaceError, OSError) as error:
            raise CrawlError(
                f"Connection {self.connection_name} to {self.host}:{self.port}/{self.database} as {self.user} "
                f"failed: {_reason(error)}"
            ) from error

    def _connect(self) -> pg8000.native.Connection:
        if self.verified_tls is not None:
            return self._open(self.verified_tls)
        try:
            return self._open(_unverified_tls())
        except InterfaceError as error:
            if str(error) != "Server refuses SSL":
                raise
            return self._open(None)

    def _open(self, tls: ssl.SSLContext | None) -> pg8000.native.Connection:
        return pg8000.native.Connection(
            self.user,
            host=self.host,
            port=self.port,
            database=self.database,
            password=self.password,
            ssl_context=tls,
            timeout=_CONNECT_SECONDS,
            application_name="AWS Glue crawler",
        )


def _login(properties: Mapping[str, str], client: ClientFactory) -> tuple[str, str]:
    if secret := properties.get("SECRET_ID"):
        login = json.loads(client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
        return login["username"], login["password"]
    return properties["USERNAME"], properties["PASSWORD"]


def _trust(properties: Mapping[str, str], client: ClientFactory) -> ssl.SSLContext:
    """TLS that checks the server's certificate and name, by the connection's authority, or by RDS's and public ones."""
    if certificate := properties.get("CUSTOM_JDBC_CERT"):
        url = urlsplit(certificate)
        body = client("s3").get_object(Bucket=url.netloc, Key=url.path.lstrip("/"))["Body"]
        return ssl.create_default_context(cadata=body.read().decode())
    context = ssl.create_default_context(cafile=str(settings.current().data_dir / "rds-ca.pem"))
    if (trusted := settings.current().trusted) is not None:
        context.load_verify_locations(trusted)
    return context


def _unverified_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _reason(error: Exception) -> str:
    """Postgres's own message, when it is one."""
    detail = error.args[0] if error.args else error
    return detail["M"] if isinstance(detail, dict) else str(error.__cause__ or error)
