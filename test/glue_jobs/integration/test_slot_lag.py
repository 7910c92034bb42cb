"""How much log the source keeps for us, as each run of ingest measures it."""

from platform_under_test import Scenario
from trackman.ingestion import Ingestion
from trackman.metrics import Measurement

MEBIBYTE = 1 << 20


def measured_run(scenario: Scenario, number: int) -> dict[str, Measurement]:
    measurements: list[Measurement] = []
    Ingestion(
        scenario.spark,
        scenario.contract,
        scenario.raw_database,
        scenario.lake_database,
        f"jr_{scenario.name}_measured_{number}",
        scenario.handed_over.append,
        measure=measurements.extend,
    ).run()
    return {measurement.metric: measurement for measurement in measurements}


def test_the_slot_s_lag_is_measured_before_it_is_acknowledged(scenario: Scenario) -> None:
    scenario.on_source("create table shots (id int primary key, raw text)")
    scenario.publish_tables("shots")
    assert measured_run(scenario, 1) == {}  # there is no slot yet

    # 4 MiB in all: rows of a kilobyte are not compressed.
    scenario.on_source("insert into shots select n, repeat('x', 1024) from generate_series(1, 4096) n")
    behind = measured_run(scenario, 2)
    restart, confirmed = behind["SlotRestartLagBytes"], behind["SlotConfirmedLagBytes"]
    assert restart.value >= confirmed.value > 2 * MEBIBYTE
    assert (restart.unit, restart.dimensions) == ("Bytes", {"Source": "backend"})

    assert measured_run(scenario, 3)["SlotConfirmedLagBytes"].value < MEBIBYTE
