"""Records pgoutput of a real server into `traffic.arrow`: messages in stream order, as logical decoding gives them.

Run by hand when traffic.sql changes, with the connection of a database that may be filled:
`python record.py HOST PORT DATABASE USER PASSWORD`
"""

import sys
from pathlib import Path

import pg8000.native
import pyarrow as pa
from pyarrow import feather

HERE = Path(__file__).parent
START = "-- recording starts here"
PEEK = """
select data from pg_logical_slot_peek_binary_changes(
  'recorder', null, null, 'proto_version', '1', 'publication_names', 'recorded', 'messages', 'true')
"""


def main(host: str, port: str, database: str, user: str, password: str) -> None:
    connection = pg8000.native.Connection(user, host=host, port=int(port), database=database, password=password)
    before, recorded = (HERE / "traffic.sql").read_text().split(START)
    run(connection, before)
    connection.run("select pg_create_logical_replication_slot('recorder', 'pgoutput')")
    run(connection, recorded)
    messages = [data for [data] in connection.run(PEEK)]
    connection.run("select pg_drop_replication_slot('recorder')")
    table = pa.table({"data": pa.array(messages, pa.binary())})
    feather.write_feather(table, HERE / "traffic.arrow", compression="zstd")


def run(connection: pg8000.native.Connection, script: str) -> None:
    for statement in script.split(";\n"):
        if statement.strip():
            connection.run(statement)


if __name__ == "__main__":
    main(*sys.argv[1:])
