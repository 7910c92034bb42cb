"""What Athena takes and refuses, and how it is put to Trino: functions of texts, no engine."""

import io

import pytest

from emulator import athena_ddl, athena_parameters, athena_results, athena_sql, athena_tables
from emulator.athena_failures import Failure
from emulator.athena_sql import Kind
from emulator.overlay import AwsError

CATALOG = "athena12345678"


@pytest.mark.parametrize(
    ("sql", "kind", "statement_type"),
    [
        ("select 1", Kind.SELECT, "DML"),
        ("-- a comment; with a semicolon\nWITH x AS (SELECT 1) SELECT * FROM x ;", Kind.SELECT, "DML"),
        ("(SELECT 1) UNION (SELECT 2)", Kind.SELECT, "DML"),
        ("INSERT INTO t SELECT ';' FROM u", Kind.INSERT, "DML"),
        ("CREATE TABLE t WITH (location = 's3://b/as') AS SELECT 1 AS x", Kind.CREATE_TABLE_AS_SELECT, "DML"),
        ("CREATE TABLE t (`as` int) LOCATION 's3://b/k'", Kind.CREATE_TABLE, "DDL"),
        ("create schema s", Kind.CREATE_DATABASE, "DDL"),
        ("/* x */ SHOW TABLES", Kind.SHOW_TABLES, "UTILITY"),
        ("EXPLAIN SELECT 1", Kind.EXPLAIN, "UTILITY"),
    ],
)
def test_kinds_of_statements(sql, kind, statement_type):
    assert athena_sql.read(sql).kind is kind
    assert kind.statement_type == statement_type


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("", "Query string is empty"),
        (" -- nothing\n;", "Query string is empty"),
        ("select 1; drop table t", "Only one sql statement is allowed. Got: select 1; drop table t"),
        ("select 1;;", "Only one sql statement is allowed"),
        ("SET SESSION x = 1", "Queries of this type are not supported"),
        ("CREATE CATALOG c USING iceberg", "Queries of this type are not supported"),
        ("CREATE VIEW v AS SELECT 1", "The emulator's Athena does not run CREATE VIEW statements yet"),
        ("SHOW PARTITIONS t", "The emulator's Athena does not run SHOW PARTITIONS statements yet"),
    ],
)
def test_statements_that_are_refused(sql, message):
    with pytest.raises(AwsError) as caught:
        athena_sql.read(sql)
    assert caught.value.code == "InvalidRequestException"
    assert caught.value.message.startswith(message)


def test_the_catalogs_name_is_replaced_where_it_is_a_catalog():
    sql = 'SELECT awsdatacatalog, \'awsdatacatalog.x\' FROM AwsDataCatalog.db.t, "awsdatacatalog"."db".u;'
    assert athena_sql.read(sql).in_catalog(CATALOG) == (
        f'SELECT awsdatacatalog, \'awsdatacatalog.x\' FROM {CATALOG}.db.t, "{CATALOG}"."db".u'
    )


@pytest.mark.parametrize(
    "literal",
    [
        "1",
        "-1.5",
        "1e3",
        "'x'",
        "'it''s; -- fine'",
        "''",
        "true",
        "NULL",
        "DATE '2026-01-31'",
        "TIMESTAMP '2026-01-31 10:00:00'",
        "DECIMAL '1.5'",
        "X'00'",
        "CAST('2026-01-31' AS DATE)",
        "CAST(1 AS DECIMAL(10, 2))",
    ],
)
def test_literals_are_parameters(literal):
    athena_parameters.check(athena_sql.read("SELECT 1 FROM t WHERE x = ?"), [literal])


@pytest.mark.parametrize(
    "text",
    [
        "x",
        '"x"',
        "?",
        "1, 2",
        "1;",
        "1 OR 1=1",
        "1) OR (1",
        "'a",
        "'a' OR 'b'",
        "'a' --",
        "'a' /* */",
        "(SELECT 1)",
        "f(1)",
        "CAST(x AS DATE)",
        "CAST('a' AS DATE) OR TRUE",
    ],
)
def test_everything_else_is_not(text):
    with pytest.raises(AwsError, match="Execution parameter 2 is not a SQL literal"):
        athena_parameters.check(athena_sql.read("SELECT 1 FROM t WHERE x = ?"), ["1", text])


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("SELECT * FROM t WHERE a = ? AND b IN (SELECT c FROM u WHERE d = ? ORDER BY 1) AND e = ?", None),
        ("WITH x AS (SELECT 1 FROM t WHERE a = ?) SELECT * FROM x WHERE b = ?", None),
        ("INSERT INTO t SELECT * FROM u WHERE a = ?", None),
        ("CREATE TABLE t WITH (location = 's3://b/k') AS SELECT 1 FROM u WHERE a = ?", None),
        ("SELECT '?' FROM t -- ?", None),
        ("SELECT ?", "line 1:8"),
        ("SELECT * FROM t WHERE a = ?\nLIMIT ?", "line 2:7"),
        ("SELECT a FROM t WHERE a = 1 GROUP BY a HAVING a > ?", "line 1:51"),
        ("SELECT * FROM t JOIN u ON t.a = ?", "line 1:33"),
        ("SELECT (SELECT max(a) FROM t WHERE b = 1) + ? FROM t", "line 1:45"),
        ("SELECT 1 FROM t WHERE a = 1 UNION SELECT ?", "line 1:42"),
        ("SELECT 1 FROM t WHERE a IN (SELECT ?)", "line 1:36"),
        ("UPDATE t SET a = 1 WHERE b = ?", "not in UPDATE"),
        ("EXPLAIN SELECT 1 FROM t WHERE b = ?", "not in EXPLAIN"),
    ],
)
def test_question_marks_stand_in_where_only(sql, place):
    statement = athena_sql.read(sql)
    if place is None:
        athena_parameters.check(statement, None)
        return
    with pytest.raises(AwsError) as caught:
        athena_parameters.check(statement, None)
    assert place in caught.value.message


def to_trino(sql):
    return athena_ddl.to_trino(athena_sql.read(sql), CATALOG)


def test_create_table_in_trinos_words():
    assert to_trino(
        "CREATE TABLE IF NOT EXISTS awsdatacatalog.raw.shots (id bigint COMMENT 'key', tags array<string>, "
        "r struct<a:int,at:timestamp>, hit_at timestamp) PARTITIONED BY (id, month(hit_at), bucket(16, id)) "
        "LOCATION 's3://lake/raw/shots/' TBLPROPERTIES ('table_type'='ICEBERG', 'format'='orc')"
    ) == (
        f"CREATE TABLE IF NOT EXISTS {CATALOG}.raw.shots (id BIGINT COMMENT 'key', tags ARRAY(VARCHAR), "
        "r ROW(a INTEGER, at TIMESTAMP(6)), hit_at TIMESTAMP(6)) WITH (location = 's3://lake/raw/shots/', "
        "format = 'ORC', partitioning = ARRAY['id', 'month(hit_at)', 'bucket(id, 16)'])"
    )


def test_create_table_as_keeps_every_token_in_its_place():
    sql = (
        "CREATE TABLE t WITH (table_type='ICEBERG', location='s3://l/x',\n"
        "  partitioning=ARRAY['day(a)', 'b'], is_external=false) AS SELECT awsdatacatalog.d.u FROM v"
    )
    translated = to_trino(sql)
    expected = "CREATE TABLE t WITH ( location='s3://l/x', partitioning=ARRAY['day(a)', 'b'] ) AS SELECT {}.d.u FROM v"
    assert translated.split() == expected.format(CATALOG).split()
    assert (len(translated), translated.index("AS SELECT")) == (len(sql), sql.index("AS SELECT"))


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("CREATE TABLE t WITH (format='PARQUET') AS SELECT 1 x", "WITH 'table_type' = 'ICEBERG' is missing"),
        ("CREATE TABLE t AS SELECT 1 x", "WITH 'table_type' = 'ICEBERG' is missing"),
        ("CREATE TABLE t WITH (table_type='ICEBERG') AS SELECT 1 x", "Table location must be specified"),
        ("CREATE TABLE t (a int) LOCATION 's3://l/t' TBLPROPERTIES ('x'='y')", "'table_type' = 'ICEBERG' is missing"),
        (
            "CREATE TABLE t (a int) LOCATION 's3://l/t' TBLPROPERTIES ('table_type'='ICEBERG', 'x'='y')",
            "Unsupported table property key: x",
        ),
        ("CREATE TABLE t (a int", "SYNTAX_ERROR: line 1:21"),
    ],
)
def test_tables_that_are_refused(sql, reason):
    with pytest.raises(Failure) as caught:
        to_trino(sql)
    assert reason in caught.value.reason


def test_tables_named_by_a_statement():
    sql = (
        "WITH x AS (SELECT * FROM Raw.Shots) SELECT * FROM x JOIN players ON EXISTS (SELECT 1 FROM awsdatacatalog.m.n)"
    )
    found = set(athena_tables.tables_of(athena_sql.read(sql), "lake"))
    assert found == {("raw", "shots"), ("lake", "x"), ("lake", "players"), ("m", "n")}


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0.0"),
        (-0.5, "-0.5"),
        (0.001, "0.001"),
        (0.00099, "9.9E-4"),
        (9999999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (-2.5e20, "-2.5E20"),
        (1234567890123.0, "1.234567890123E12"),
        ("Infinity", "Infinity"),
    ],
)
def test_doubles_as_java_writes_them(number, text):
    assert athena_results.encoder({"rawType": "double", "arguments": []})(number) == text


def test_a_result_file_is_read_back_as_it_was_written():
    rows = [["a", None, 'x,"y"\nz'], [None, None, None], ["", "b", ""], ["é", "\n", '"']]
    file = io.BytesIO()
    for row in rows:
        athena_results.write_csv_row(file, row)
    assert file.getvalue().startswith(b'"a",,"x,""y""\nz"\n,,\n"","b",""\n')

    class Slowly(io.BytesIO):
        def read(self, size: int = -1) -> bytes:
            return super().read(3)

    offset = 0
    for row in rows:
        read, length = next(athena_results.read_rows(Slowly(file.getvalue()[offset:]), is_csv=True))
        assert read == row
        offset += length
    assert offset == len(file.getvalue())
