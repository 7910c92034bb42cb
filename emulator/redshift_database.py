"""The database of a Redshift namespace: its external schemas, its users, and who may use what.

It has no tables of its own: rows are read through external schemas only.
"""

import threading
from dataclasses import dataclass, field

PUBLIC = "public"  # the schema that everybody has, and the name by which everybody is granted something


class SqlError(Exception):
    """A statement failed; the message is what DescribeStatement says in `Error`."""


@dataclass(frozen=True)
class ExternalSchema:
    """A database of the Glue Data Catalog under another name."""

    glue_database: str
    region: str
    role_arn: str | None  # None: the namespace's default role, whichever that is when the schema is used


@dataclass(frozen=True)
class Privilege:
    """`usage` or `create` on a schema, for a user or for PUBLIC."""

    name: str
    schema: str
    grantee: str


@dataclass
class Database:
    """`administrator` is the superuser; a user of an IAM identity is made when that identity first logs in."""

    name: str
    administrator: str
    users: set[str] = field(default_factory=set)
    external_schemas: dict[str, ExternalSchema] = field(default_factory=dict)
    privileges: set[Privilege] = field(
        default_factory=lambda: {Privilege(name, PUBLIC, PUBLIC) for name in ("usage", "create")}
    )
    lock: threading.RLock = field(default_factory=threading.RLock)

    def create_external_schema(self, user: str, name: str, schema: ExternalSchema, *, if_not_exists: bool) -> None:
        if user != self.administrator:
            raise SqlError(f"ERROR: permission denied for database {self.name}")
        if not self._exists(name):
            self.external_schemas[name] = schema
        elif not if_not_exists:
            raise SqlError(f'ERROR: Schema "{name}" already exists')

    def drop_schema(self, user: str, name: str, *, if_exists: bool) -> None:
        if not self._exists(name):
            if if_exists:
                return
            raise SqlError(f'ERROR: Schema "{name}" does not exist')
        if user != self.administrator:
            raise SqlError(f"ERROR: must be owner of schema {name}")
        if name == PUBLIC:
            raise SqlError("ERROR: The emulator's Redshift does not drop the schema public")
        del self.external_schemas[name]
        self.privileges = {privilege for privilege in self.privileges if privilege.schema != name}

    def grant(self, user: str, privileges: set[Privilege]) -> None:
        self._check_may_grant(user, privileges)
        self.privileges |= privileges

    def revoke(self, user: str, privileges: set[Privilege]) -> None:
        self._check_may_grant(user, privileges)
        self.privileges -= privileges

    def use(self, user: str, schema: str) -> ExternalSchema:
        """The external schema, for a user who may use it."""
        if not self._exists(schema):
            raise SqlError(f'ERROR: schema "{schema}" does not exist')
        granted = {Privilege("usage", schema, grantee) for grantee in (user, PUBLIC)}
        if user != self.administrator and not granted & self.privileges:
            raise SqlError(f"ERROR: permission denied for schema {schema}")
        if schema == PUBLIC:
            raise SqlError("ERROR: The emulator's Redshift has tables in external schemas only, none in public")
        return self.external_schemas[schema]

    def _check_may_grant(self, user: str, privileges: set[Privilege]) -> None:
        for privilege in privileges:
            if not self._exists(privilege.schema):
                raise SqlError(f'ERROR: schema "{privilege.schema}" does not exist')
            if user != self.administrator:
                raise SqlError(f"ERROR: permission denied for schema {privilege.schema}")
            if privilege.grantee not in {PUBLIC, self.administrator, *self.users}:
                raise SqlError(f'ERROR: user "{privilege.grantee}" does not exist')

    def _exists(self, schema: str) -> bool:
        return schema == PUBLIC or schema in self.external_schemas
