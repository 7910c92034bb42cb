"""A job as a process of its own that kills itself and all that it started, at a checkpoint: python killed_job.py.

The order comes from the standard input. What a run says goes to the standard output, as does the bookmark that it
follows the source from.
"""

import json
import os
import signal
import sys
from dataclasses import asdict, dataclass
from typing import Any

from platform_under_test import Scenario
from trackman.bookmark import bookmark_property
from trackman.contract import TableName
from trackman.ingestion import Anew
from trackman.postgres import Server
from trackman.session import spark_session


@dataclass(frozen=True)
class Order:
    """What is to be run, and what the name of the checkpoint begins with at which it ends."""

    scenario: str
    source: Server
    serving: Server
    options: dict[str, Any]
    job: str
    anew: Anew
    dies_at: str
    first_run: int
    """Above the numbers that runs had so far."""

    def to_json(self) -> str:
        values = asdict(self)
        return json.dumps({**values, "anew": {"tables": sorted(self.anew.tables), "history": self.anew.history}})

    @classmethod
    def from_json(cls, text: str) -> "Order":
        values = json.loads(text)
        tables = frozenset(TableName(*table) for table in values["anew"]["tables"])
        return cls(
            **{
                **values,
                "source": Server(**values["source"]),
                "serving": Server(**values["serving"]),
                "anew": Anew(tables, values["anew"]["history"]),
            }
        )


def main() -> None:
    order = Order.from_json(sys.stdin.read())

    def checkpoint(name: str) -> None:
        if name == "slot ready":
            print("follows", scenario.change_log.properties[bookmark_property("backend")], flush=True)
        if name.startswith(order.dies_at):
            print(f"killed at {name}", flush=True)
            os.killpg(0, signal.SIGKILL)

    scenario = Scenario(order.source, order.serving, spark_session(), order.scenario)
    scenario.options = order.options
    scenario.runs = order.first_run
    if order.job == "ingest":
        scenario.ingest(checkpoint, order.anew)
    else:
        scenario.publish(checkpoint)
    print(f"was not killed: it did not pass {order.dies_at}", flush=True)


if __name__ == "__main__":
    main()
