"""A table of ball flights, of any size, and changes of its recent rows."""

from platform_under_test import Scenario

TABLE = "shots"
_MONTHS = 12

_CREATE = """
create table shots (
  id bigint primary key, session_id uuid not null, shot_number integer not null, club text not null,
  ball_speed numeric(5, 2) not null, carry numeric(6, 2) not null, spin_rate integer, hit_at timestamptz not null)
"""
# In order of time, as they were hit; about 100 bytes a row.
_FILL = """
insert into shots
select i, md5((i / 40)::text)::uuid, i % 40,
       (array['driver', '3-wood', '5-iron', '7-iron', 'pitching wedge'])[1 + i % 5],
       40 + (i * 7919 % 4000) / 100.0, 100 + (i * 104729 % 15000) / 100.0, 2000 + i * 31 % 8000,
       timestamptz '2025-12-01 00:00Z' + {months} * interval '30 days' * ((i - 1.0) / {rows})
from generate_series(1::bigint, {rows}) as i
"""


def fill(scenario: Scenario, rows: int) -> None:
    """The table with `rows` rows, over a year; the lake's is partitioned by month."""
    scenario.options["tables"] = {f"public.{TABLE}": {"partitionBy": ["month(hit_at)"]}}
    scenario.on_source(_CREATE, _FILL.format(rows=rows, months=_MONTHS), "vacuum analyze shots")
    scenario.publish_tables(TABLE)


def change_recent(scenario: Scenario, rows: int, changes: int, number: int) -> None:
    """Change rows of the last 30 days, each time (`number`, from 0) others: nine of ten are updates, one is deleted."""
    recent = f"id > {rows} * {_MONTHS - 1} / {_MONTHS} and id % 8 = {number % 8}"
    scenario.on_source(
        f"update shots set carry = carry + 0.25, spin_rate = spin_rate + 1 where id in"
        f" (select id from shots where {recent} order by id desc limit {changes * 9 // 10})",
        f"delete from shots where id in (select id from shots where {recent} order by id limit {changes // 10})",
    )
