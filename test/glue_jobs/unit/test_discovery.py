"""What a run does when the crawl is late, hangs or was never run."""

import json
from typing import Any

import pytest
from trackman import discovery
from trackman.contract import TableName, load_contracts
from trackman.errors import JobError


class Catalog:
    """A Glue catalog that lists what it is told to, one list a call, and the last for ever."""

    def __init__(self, *crawls: list[str]) -> None:
        self.crawls = list(crawls)

    def get_paginator(self, _operation: str) -> "Catalog":
        return self

    def paginate(self, **_: Any) -> list[dict]:
        found = self.crawls.pop(0) if len(self.crawls) > 1 else self.crawls[0]
        others = {"StorageDescriptor": {"Location": "db.public.foreign"}, "Parameters": {"connectionName": "other"}}
        tables = [
            {"StorageDescriptor": {"Location": f"db.public.{name}"}, "Parameters": {"connectionName": "backend"}}
            for name in found
        ]
        return [{"TableList": [others, *tables]}]


class Clock:
    """A clock that waits move."""

    def __init__(self) -> None:
        self._now = 0

    def monotonic(self) -> int:
        return self._now

    def sleep(self, seconds: int) -> None:
        self._now += seconds


@pytest.fixture
def discover(monkeypatch: pytest.MonkeyPatch, contract_values: dict) -> Any:
    """Runs discovery on a catalog, by a clock that its waits move; gives the tables and the seconds that it took."""

    def run(catalog: Catalog) -> tuple[list[TableName], int]:
        clock = Clock()
        monkeypatch.setattr(discovery.aws, "client", lambda _service: catalog)
        monkeypatch.setattr(discovery, "time", clock)
        [contract] = load_contracts(json.dumps([contract_values]))
        return discovery.discover_tables(contract), clock.monotonic()

    return run


def test_the_last_crawl_is_used_as_it_is_at_once(discover: Any) -> None:
    assert discover(Catalog(["shots", "bays"])) == ([TableName("public", "bays"), TableName("public", "shots")], 0)


def test_the_first_crawl_is_waited_for(discover: Any) -> None:
    assert discover(Catalog([], [], ["shots"])) == ([TableName("public", "shots")], 10)


def test_a_crawl_that_never_ends_is_not_waited_for_for_ever(discover: Any) -> None:
    with pytest.raises(JobError, match="has no table of the connection backend after 300 s: look at the last crawl"):
        discover(Catalog([]))
