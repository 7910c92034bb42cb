"""A Postgres server as the jobs reach it: TLS with the certificate and the host's name verified, by two drivers."""

import ssl
import tempfile
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import adbc_driver_postgresql.dbapi
import pg8000.native

# How values look as text depends on these, so they are the same wherever the platform reads or writes any.
SESSION = {
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "datestyle": "ISO",
    "extra_float_digits": "3",
    "intervalstyle": "postgres",
    "search_path": "pg_catalog",
    "timezone": "UTC",
}


@dataclass(frozen=True)
class Server:
    """A database on a server and who connects to it."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    ca: str = field(repr=False)
    """PEM of the authority that signs the server's certificate."""

    def connect(self) -> pg8000.native.Connection:
        """A connection for statements with few rows, in autocommit mode until a statement begins a transaction."""
        return pg8000.native.Connection(
            self.user,
            host=self.host,
            port=self.port,
            database=self.database,
            password=self.password,
            ssl_context=ssl.create_default_context(cadata=self.ca),
            application_name="trackman",
            startup_params=SESSION,
        )

    def connect_arrow(self, **settings: str) -> adbc_driver_postgresql.dbapi.Connection:
        """A connection that moves rows in bulk as Arrow. `settings` are further session settings."""
        options = " ".join(f"-c {name}={value}" for name, value in {**SESSION, **settings}.items())
        # The driver reads the file while it connects, and not later.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as ca_file:
            ca_file.write(self.ca)
            ca_file.flush()
            parameters = {
                "sslmode": "verify-full",
                "sslrootcert": ca_file.name,
                "application_name": "trackman",
                "options": options,
            }
            credentials = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
            address = f"{credentials}@{self.host}:{self.port}/{quote(self.database, safe='')}"
            return adbc_driver_postgresql.dbapi.connect(
                f"postgresql://{address}?{urlencode(parameters, quote_via=quote)}"
            )


def identifier(*names: str) -> str:
    """SQL of a name, qualified when several are given."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(value: str | int) -> str:
    """SQL of a constant; a string's backslashes stand for themselves."""
    if isinstance(value, int):
        return str(value)
    quoted = "'" + value.replace("'", "''") + "'"
    return " E" + quoted.replace("\\", "\\\\") if "\\" in value else quoted
