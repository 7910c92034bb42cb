"""Brings dataengineering-db to what the platform expects: schemas, roles, their passwords and rights.

A Python shell job (Python 3.9), run by each deploy. It is idempotent and may die anywhere: a generated password is in
its secret before a role gets it, and the next run gives the role what the secret holds. It is the only one that reads
the master user's secret. No password is printed, logged or part of an argument; what the server gets to see, and might
log, is only what it keeps of one.
"""

import argparse
import base64
import hashlib
import hmac
import json
import secrets
import ssl
import sys
from contextlib import closing
from typing import Any

import boto3
import pg8000.native
from pg8000.native import identifier, literal

BASE_SCHEMA = "base"  # the tables; as SQL's BASE TABLE, which is what a view is not
APP_SCHEMA = "app"  # what the internal application reads: a view for each of them
STAGING_SCHEMA = "staging"  # rows on their way, between two transactions of the loader
BOOKMARK_SCHEMA = "trackman"

LOADER = "loader"
APPLICATION = "application"
READER = "reader"  # people: they sign in by IAM (rds-db:connect), and have no password

SCRAM_ITERATIONS = 4096


def main(argv: list) -> None:
    args = parse_arguments(argv)
    secrets_manager = boto3.client("secretsmanager")
    master = json.loads(secret_text(secrets_manager, args.master_secret))
    logins = {
        LOADER: ensure_login(secrets_manager, args.loader_secret, LOADER),
        APPLICATION: ensure_login(secrets_manager, args.application_secret, APPLICATION),
    }
    ensure_pepper(secrets_manager, args.pepper_secret)

    ca = boto3.client("ssm").get_parameter(Name=args.ca_parameter)["Parameter"]["Value"]
    database = pg8000.native.Connection(
        user=master["username"],
        password=master["password"],
        host=args.host,
        port=args.port,
        database=args.database,
        ssl_context=ssl.create_default_context(cadata=ca),  # verifies certificate and host name
    )
    with closing(database):
        for statement in migration(args.database, logins):
            database.run(statement)
    print(f"{args.database}: schemas, roles and rights are as this release expects them")


def parse_arguments(argv: list) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--database", required=True)
    parser.add_argument("--ca-parameter", required=True, help="SSM parameter: PEM of the server's authorities")
    parser.add_argument("--master-secret", required=True, help="secret of the master user, kept by RDS")
    parser.add_argument("--loader-secret", required=True)
    parser.add_argument("--application-secret", required=True)
    parser.add_argument("--pepper-secret", required=True, help="key of the hashes of personal data")
    return parser.parse_known_args(argv)[0]  # Glue adds arguments of its own


def migration(database: str, logins: dict) -> list:
    """The statements, each idempotent, in an order in which each finds what it needs."""
    loader, application = identifier(LOADER), identifier(APPLICATION)
    base, app, staging, bookmarks = map(identifier, (BASE_SCHEMA, APP_SCHEMA, STAGING_SCHEMA, BOOKMARK_SCHEMA))
    return [
        *(create_role(role) for role in logins),
        *(
            f"ALTER ROLE {identifier(role)} PASSWORD {literal(scram_verifier(login['password']))}"
            for role, login in logins.items()
        ),
        f"REVOKE ALL ON DATABASE {identifier(database)} FROM PUBLIC",
        f"GRANT CONNECT, TEMPORARY ON DATABASE {identifier(database)} TO {loader}",
        f"GRANT CONNECT ON DATABASE {identifier(database)} TO {application}",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        *(f"CREATE SCHEMA IF NOT EXISTS {schema}" for schema in (base, app, staging, bookmarks)),
        *(f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {loader}" for schema in (base, app, staging)),
        f"GRANT USAGE ON SCHEMA {app} TO {application}",
        f"""CREATE TABLE IF NOT EXISTS {bookmarks}.bookmark (
                source text NOT NULL,
                table_name text NOT NULL,
                position pg_lsn NOT NULL,
                epoch bigint NOT NULL,
                frontier timestamptz NOT NULL,
                updated_at timestamptz NOT NULL DEFAULT now(),
                PRIMARY KEY (source, table_name))""",
        f"COMMENT ON TABLE {bookmarks}.bookmark IS 'up to where each table holds its source; moves with the data'",
        f"GRANT USAGE ON SCHEMA {bookmarks} TO {loader}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {bookmarks}.bookmark TO {loader}",
        # The loader makes the views, so what the application may read of them is decided here, once. They read the
        # tables by the loader's rights: the application has none to those.
        f"GRANT {loader} TO CURRENT_USER",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {loader} IN SCHEMA {app} GRANT SELECT ON TABLES TO {application}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {app} TO {application}",
        create_role(READER),
        f"GRANT rds_iam, {application} TO {identifier(READER)}",
    ]


def create_role(role: str) -> str:
    """Postgres has no CREATE ROLE IF NOT EXISTS."""
    return f"""DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(role)}) THEN
            CREATE ROLE {identifier(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
        END IF;
    END $$"""


def scram_verifier(password: str) -> str:
    """What Postgres keeps of a password (RFC 5803), from which it cannot be had again. The password is plain ASCII."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, SCRAM_ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{salt_text}${stored_text}:{server_text}"


def ensure_login(client: Any, secret: str, username: str) -> dict:
    """The secret's `{"username", "password"}`; generated and stored first when the secret is still empty."""
    text = secret_text_or_none(client, secret)
    if text is not None:
        return json.loads(text)
    login = {"username": username, "password": secrets.token_urlsafe(32)}
    client.put_secret_value(SecretId=secret, SecretString=json.dumps(login))
    print(f"{secret}: generated a password")
    return login


def ensure_pepper(client: Any, secret: str) -> None:
    """Writes the pepper (32 bytes in hex) once and never again: another would make other hashes of the same person."""
    if secret_text_or_none(client, secret) is None:
        client.put_secret_value(SecretId=secret, SecretString=secrets.token_hex(32))
        print(f"{secret}: generated the pepper")


def secret_text(client: Any, secret: str) -> str:
    text = secret_text_or_none(client, secret)
    if text is None:
        raise ValueError(f"secret {secret} has no value: RDS writes it when it creates the database")
    return text


def secret_text_or_none(client: Any, secret: str) -> Any:
    """The secret's current text; None when it exists without a value."""
    try:
        return client.get_secret_value(SecretId=secret)["SecretString"]
    except client.exceptions.ResourceNotFoundException:
        # Also what a secret without a value answers; one that does not exist at all must not pass for empty.
        client.describe_secret(SecretId=secret)
        return None


if __name__ == "__main__":
    main(sys.argv[1:])
