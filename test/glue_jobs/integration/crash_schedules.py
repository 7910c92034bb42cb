"""Schedules of what befalls a source and the jobs that follow it: drawn from a seed, the same for the same seed.

A schedule says everything beforehand, also what happens inside a run: at which of its checkpoints the job dies, and at
the how manieth something goes on elsewhere. So it can be run again by its seed.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KILLED_ONE_IN = 20
"""Of so many seeds in a row one has a job that is killed with its whole process."""

CHECKPOINTS = {
    "ingest": (
        "slot ready",
        "copies written",
        "copied",
        "barrier set",
        "change log written",
        "change log published",
        "slot advanced",
        "definition followed",
        "branch written",
        "quarantined",
        "published",
        "history written",
        "history published",
    ),
    "snapshot": ("copies written", "copied"),
    "publish": ("written", "published", "staged", "applied", "committed"),
    "maintain": ("compacted", "deletes_compacted", "expired", "orphans"),
}
"""What the names of each job's checkpoints begin with."""

# Where the source has not heard yet of what the lake has.
_OFTEN = {"ingest": ["change log published", "change log published"]}

_ALWAYS_PASSED = {
    "ingest": (
        "slot ready",
        "barrier set",
        "change log written",
        "change log published",
        "slot advanced",
        "branch written",
        "published",
    ),
    "publish": ("staged", "applied", "committed"),
}

# While a transaction is late, it has these rows for itself: nobody waits for it.
_LATE = "id % 10 = 9"


@dataclass(frozen=True)
class Sql:
    """Statements of the source's owner, each by itself or all in one transaction."""

    statements: tuple[str, ...]
    together: bool = False
    undone: bool = False
    """The transaction is rolled back."""


@dataclass(frozen=True)
class BeginLate:
    """A transaction that stays open."""

    statements: tuple[str, ...]


@dataclass(frozen=True)
class EndLate:
    commits: bool


@dataclass(frozen=True)
class Restart:
    """A database server goes down, with all that is open there, and comes back."""

    server: str
    """source or serving"""
    in_order: bool
    """What it had in memory was written before; otherwise positions that were acknowledged may be lost."""


@dataclass(frozen=True)
class LoseSlot:
    """Somebody takes what the slot had not delivered yet."""

    how: str
    """dropped, made anew or advanced"""


@dataclass(frozen=True)
class Maintain:
    """The upkeep of one table, of the lake or `changes`."""

    table: str
    expires: bool
    """All snapshots but the present go."""
    dies_at: str | None = None


Event = Sql | BeginLate | EndLate | Restart | LoseSlot | Maintain


@dataclass(frozen=True)
class Run:
    """A run of a job."""

    job: str
    """ingest, publish, or snapshot (of the tables that ingest handed over)"""
    dies_at: str | None = None
    """The name of the checkpoint at which it ends; a run that does not pass there does not die."""
    meanwhile: Mapping[int, tuple[Event, ...]] = field(default_factory=dict)
    """What goes on elsewhere, by the number of the checkpoint. What was not reached comes after the run."""
    asked: tuple[str, ...] = ()
    """Tables that are to be copied anew."""
    killed: bool = False
    """It is a process of its own, which is killed with all that it started."""


Step = Event | Run


@dataclass(frozen=True)
class Schedule:
    seed: int
    tables: tuple[str, ...]
    definitions: tuple[str, ...]
    """SQL of the tables and of what they hold at first."""
    options: Mapping[str, Any]
    """What the contract says beyond the usual."""
    steps: tuple[Step, ...]
    counted: str | None = None
    """The table of which there is a mart."""


@dataclass
class _Table:
    """What the drawing knows of a table of the source."""

    name: str
    definition: tuple[str, ...]
    key: str
    """The column by whose change a row changes its key."""
    columns: dict[str, str]
    """Those that come and go → type."""
    fixed: dict[str, str] = field(default_factory=dict)
    """Those besides `id` that always are there → SQL of their value for the row `i`."""
    has_history: bool = False
    """A history keeps each column's type, so that no other column comes under the name of one that is gone."""


def _tables() -> list[_Table]:
    return [
        _Table(
            "items",
            (
                "create table items (id int primary key, label text, large text)",
                # Stored out of line, so that updates beside it do not send it.
                "alter table items alter large set storage external",
            ),
            "id",
            {"label": "text", "large": "text"},
        ),
        _Table(
            "bays",
            ("create table bays (id int, number smallint, note text, price int, primary key (number, id))",),
            "id",
            {"note": "text", "price": "int"},
            {"number": "i % 3"},
        ),
        _Table(
            "notes",
            (
                "create table notes (id int primary key, note text, amount numeric(8, 2), long text)",
                "alter table notes alter long set storage external",
                "alter table notes replica identity full",
            ),
            "id",
            {"note": "text", "amount": "numeric(8, 2)", "long": "text"},
        ),
        _Table(
            "codes",
            (
                "create table codes (id int primary key, code text not null, flag boolean, large text)",
                "alter table codes alter large set storage external",
                "create unique index codes_code on codes (code)",
                "alter table codes replica identity using index codes_code",
            ),
            "code",
            {"flag": "boolean", "large": "text"},
            {"code": "'c' || i"},
        ),
        _Table(
            "events",
            (
                "create table events (id int, at date, note text, primary key (id, at)) partition by range (at)",
                "create table events_1 partition of events for values from ('2026-01-01') to ('2026-01-11')",
                "create table events_2 partition of events default",
            ),
            "at",
            {"note": "text"},
            {"at": "date '2026-01-01' + i % 20"},
        ),
    ]


def draw(seed: int) -> Schedule:
    """The schedule of a seed."""
    return _Drawing(seed).schedule()


class _Drawing:
    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = random.Random(seed)
        self._tables = self._random.sample(_tables(), self._random.choice([1, 2, 2, 3]))
        self._next_id = 40
        self._next_number = 0
        self._late: frozenset[str] | None = None
        """The tables that a transaction which is late has locked."""
        self._slot_lost = False
        self._poison = self._random.random() < 0.3
        """Whether some numbers are none."""

    def schedule(self) -> Schedule:
        chance = self._random
        definitions = tuple(
            statement
            for table in self._tables
            for statement in (*table.definition, self._insert_range(table, 0, chance.choice([0, 5, 30])))
        )
        options: dict[str, Any] = {}
        if self._poison:
            options["rejectLimit"] = 1_000_000
        if chance.random() < 0.15:
            self._tables[0].has_history = True
            options["tables"] = {f"public.{self._tables[0].name}": {"history": True}}
        counted = chance.choice(self._tables).name if chance.random() < 0.15 else None
        if chance.random() < 0.15:
            options["inlineSnapshotBytes"] = 0
        if chance.random() < 0.2:
            options["walBytesPerStep"] = 1 << 17
        steps: list[Step] = [self._run("ingest")]
        rounds = chance.choice([2, 2, 3])
        jobs = ["ingest", "ingest", "ingest", "publish"]
        if "inlineSnapshotBytes" in options:
            jobs += ["snapshot", "snapshot"]
        kill = chance.randrange(rounds) if self._seed % KILLED_ONE_IN == 0 else None
        for number in range(rounds):
            steps += self._between_runs(loses_slot=number != kill)
            if number == kill:
                job = chance.choice(["ingest", "ingest", "publish"])
                steps.append(Run(job, chance.choice(_ALWAYS_PASSED[job]), killed=True))
            else:
                steps.append(self._run(chance.choice(jobs)))
        tables = tuple(table.name for table in self._tables)
        return Schedule(self._seed, tables, definitions, options, tuple(steps), counted)

    def _between_runs(self, loses_slot: bool) -> list[Step]:
        steps: list[Step] = [self._event() for _ in range(self._random.choice([1, 2, 3, 4]))]
        if self._random.random() < 0.25:
            steps.append(self._restart())
        if loses_slot and self._random.random() < 0.1:
            if self._late is not None:  # a slot is made when no transaction is open any more
                steps.append(self._end_late())
            self._slot_lost = True
            steps.append(LoseSlot(self._random.choice(["dropped", "made anew", "advanced"])))
        if self._random.random() < 0.3:
            table = self._random.choice(["changes", *(table.name for table in self._tables)])
            steps.append(Maintain(table, expires=True, dies_at=self._random.choice([None, *CHECKPOINTS["maintain"]])))
        return steps

    def _run(self, job: str) -> Run:
        chance = self._random
        deaths = [*CHECKPOINTS[job], *_OFTEN.get(job, [])]
        dies_at = chance.choice(deaths) if chance.random() < 0.65 else None
        if job == "ingest":
            self._slot_lost = False  # from the first checkpoint on there is one
        meanwhile: dict[int, tuple[Event, ...]] = {}
        if chance.random() < 0.5:
            first = chance.randint(1, 7)
            for number in sorted({first, first + chance.randint(0, 4)}):
                meanwhile[number] = tuple(self._event() for _ in range(chance.choice([1, 2])))
            if chance.random() < 0.25:
                meanwhile[number] += (self._restart() if chance.random() < 0.6 else self._upkeep(),)
        asked = ()
        if job == "ingest" and chance.random() < 0.15:
            asked = (chance.choice(self._tables).name,)
        return Run(job, dies_at, meanwhile, asked)

    def _restart(self) -> Restart:
        server = self._random.choice(["source", "source", "serving"])
        if server == "source":
            self._late = None
        return Restart(server, in_order=self._random.random() < 0.3)

    def _upkeep(self) -> Maintain:
        # What a run may be reading stays: upkeep keeps snapshots for days.
        return Maintain(self._random.choice([table.name for table in self._tables]), expires=False)

    def _event(self) -> Event:
        chance = self._random.random()
        if chance < 0.12:
            if self._late is not None:
                return self._end_late()
            if not self._slot_lost:
                return self._begin_late()
        free = [table for table in self._tables if self._late is None or table.name not in self._late]
        if chance < 0.34 and free:
            return self._drift(self._random.choice(free))
        if chance < 0.40 and free:
            count = self._random.randint(1, len(free))
            names = ", ".join(table.name for table in self._random.sample(free, count))
            return Sql((f"truncate {names}", *self._changes(2)), together=self._random.random() < 0.5)
        together = self._random.random() < 0.6
        return Sql(self._changes(self._random.randint(1, 6)), together, together and self._random.random() < 0.15)

    def _begin_late(self) -> BeginLate:
        tables = self._random.sample(self._tables, self._random.randint(1, len(self._tables)))
        self._late = frozenset(table.name for table in tables)
        statements = []
        for table in tables:
            id_ = 900_009 + 10 * self._number()
            statements.append(self._insert(table, f"generate_series({id_}, {id_}) i"))
            statements.append(self._update(table, _LATE))
            if self._random.random() < 0.4:
                statements.append(f"delete from {table.name} where {_LATE} and id % 3 = {self._random.randrange(3)}")
        return BeginLate(tuple(statements))

    def _end_late(self) -> EndLate:
        self._late = None
        return EndLate(commits=self._random.random() < 0.8)

    # Changes of rows. All are sets that SQL finds, so that the drawing need not know which rows there are.

    def _changes(self, count: int) -> tuple[str, ...]:
        return tuple(statement for _ in range(count) for statement in self._change(self._random.choice(self._tables)))

    def _change(self, table: _Table) -> list[str]:
        chance = self._random
        kind = chance.choice(["insert", "insert", "update", "update", "same", "move", "move", "swap", "delete", "back"])
        if kind == "insert":
            return [self._insert_range(table, self._next_id, chance.choice([1, 3, 10, 200]))]
        if kind == "update":
            return [self._update(table, self._some_rows())]
        if kind == "same":
            return [f"update {table.name} set id = id where {self._some_rows()}"]
        if kind == "move":
            return [self._move(table)]
        if kind == "swap":
            first, second = chance.sample([id_ for id_ in range(self._next_id) if id_ % 10 != 9], 2)
            return [
                f"update {table.name} set id = {after} where id = {before}"
                for before, after in ((first, -1), (second, first), (-1, second))
            ]
        if kind == "delete":
            return [f"delete from {table.name} where {self._some_rows()}"]
        # Rows that go and come again at the same keys.
        low = chance.randrange(self._next_id)
        return [
            f"delete from {table.name} where id between {low} and {low + 3} and {self._not_late()}",
            self._insert_range(table, low, 4),
        ]

    def _insert_range(self, table: _Table, low: int, rows: int) -> str:
        self._next_id = max(self._next_id, low + rows)
        return self._insert(table, f"generate_series({low}, {low + rows - 1}) i where {self._not_late('i')}")

    def _insert(self, table: _Table, rows: str) -> str:
        values = {**table.fixed, **{column: self._value(sql_type) for column, sql_type in table.columns.items()}}
        return (
            f"insert into {table.name} (id, {', '.join(values)}) select i, {', '.join(values.values())} from {rows}"
            " on conflict do nothing"
        )

    def _update(self, table: _Table, where: str) -> str:
        """Of some columns, so that large ones are sent or not."""
        if not table.columns:
            return f"update {table.name} set id = id where {where}"
        changed = self._random.sample(sorted(table.columns), self._random.randint(1, min(2, len(table.columns))))
        values = ", ".join(f"{column} = {self._value(table.columns[column], 'id')}" for column in changed)
        return f"update {table.name} set {values} where {where}"

    def _move(self, table: _Table) -> str:
        """Rows to keys that are free."""
        if table.key == "code":
            moved = {"code": "t.code || 'x'"}
        elif table.key == "at":
            moved = {"at": f"t.at + {self._random.choice([1, 10, 12])}"}
        else:
            moved = {"id": f"t.id + {self._random.choice([10, 20, 1000])}"}
        [[column, value]] = moved.items()
        taken = f"exists (select from {table.name} o where o.{column} = {value})"
        if table.key == "at":
            taken = f"exists (select from {table.name} o where o.id = t.id and o.at = {value})"
        return f"update {table.name} t set {column} = {value} where {self._some_rows()} and not {taken}"

    def _some_rows(self) -> str:
        modulus = self._random.choice([2, 3, 5, 7])
        return f"id % {modulus} = {self._random.randrange(modulus)} and {self._not_late()}"

    def _not_late(self, column: str = "id") -> str:
        return f"{column} % 10 <> 9" if self._late is not None else "true"

    def _value(self, sql_type: str, row: str = "i") -> str:
        """SQL of a value of a row."""
        number = self._number()
        if self._random.random() < 0.15:
            return "null"
        if sql_type == "text":
            large = self._random.random() < 0.4
            return f"repeat(md5(({row} * 7 + {number})::text), 100)" if large else f"'text {number} of ' || {row}"
        if sql_type == "boolean":
            return f"({row} + {number}) % 2 = 0"
        if sql_type.startswith("numeric") and self._poison:
            return f"case when ({row} + {number}) % 7 = 0 then 'NaN'::numeric else ({row} * 7 + {number}) % 1000 end"
        return f"({row} * 7 + {number}) % 1000"

    # Changes of definitions.

    def _drift(self, table: _Table) -> Sql:
        chance, name = self._random, table.name
        kinds = ["rewrite", "undone"]
        if self._free_names(table):
            kinds += ["add", "add", "default", "computed default", "between"]
        if table.columns:
            kinds += ["drop", "again"]
        if table.columns and self._free_names(table):
            kinds.append("rename")
        if any(sql_type in ("int", "numeric(8, 2)") for sql_type in table.columns.values()):
            kinds += ["widen", "widen"]
        if name != "events":
            kinds += ["identity"] if table.has_history else ["create", "identity"]
        kind = chance.choice(kinds)
        if kind == "undone":
            added = f"alter table {name} add column gone int default 1"
            return Sql((added, self._insert_range(table, 0, 3)), together=True, undone=True)
        if kind == "rewrite":
            return Sql((f"vacuum full {name}",) if name != "events" else ("vacuum full events_1",))
        if kind == "identity":
            index = "using index codes_code" if name == "codes" else "default"
            return Sql((f"alter table {name} replica identity {chance.choice(['full', index])}",))
        if kind == "create":
            return self._create_again(table)
        if kind in ("drop", "rename", "again", "widen"):
            return Sql(self._alter(table, kind), together=chance.random() < 0.5)
        column, sql_type = self._new_column(table)
        default = {"default": " not null default 7", "computed default": " default (random() * 100)::int"}.get(kind, "")
        sql_type = "int" if default else sql_type
        before = (self._insert_range(table, self._next_id, 2),) if kind == "between" else ()
        table.columns[column] = sql_type
        added = f"alter table {name} add column {column} {sql_type}{default}"
        if default.startswith(" not null"):
            return Sql((added, f"alter table {name} alter {column} drop not null", *self._change(table)))
        return Sql((*before, added, *self._change(table)), together=kind == "between" or chance.random() < 0.5)

    def _free_names(self, table: _Table) -> list[str]:
        if table.has_history:
            return [f"more_{self._number()}"]
        # Few names, so that some come again.
        return [name for name in ("extra", "more", "label", "note", "other", "spare") if name not in table.columns]

    def _new_column(self, table: _Table) -> tuple[str, str]:
        name = self._random.choice(self._free_names(table))
        return name, self._random.choice(["text", "int", "boolean", "numeric(8, 2)"])

    def _alter(self, table: _Table, kind: str) -> tuple[str, ...]:
        chance, alter = self._random, f"alter table {table.name}"
        if kind == "widen":
            narrow = sorted(name for name, each in table.columns.items() if each in ("int", "numeric(8, 2)"))
            column = chance.choice(narrow)
            table.columns[column] = "bigint" if table.columns[column] == "int" else "numeric(12, 2)"
            return f"{alter} alter {column} type {table.columns[column]}", *self._change(table)
        column = chance.choice(sorted(table.columns))
        free = self._free_names(table)
        sql_type = table.columns.pop(column)
        if kind == "drop":
            return f"{alter} drop column {column}", *self._change(table)
        if kind == "rename":
            new = chance.choice(free)
            table.columns[new] = sql_type
            return f"{alter} rename {column} to {new}", *self._change(table)
        table.columns[column] = sql_type
        return f"{alter} drop column {column}", f"{alter} add column {column} {sql_type}", *self._change(table)

    def _create_again(self, table: _Table) -> Sql:
        fresh = next(each for each in _tables() if each.name == table.name)
        table.columns = fresh.columns
        return Sql(
            (
                f"drop table {table.name}",
                *fresh.definition,
                self._insert_range(table, 0, 4),
                f"alter publication trackman add table {table.name}",
                self._insert_range(table, 4, 2),
            ),
            together=self._random.random() < 0.5,
        )

    def _number(self) -> int:
        self._next_number += 1
        return self._next_number
