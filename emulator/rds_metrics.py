"""What RDS measures of DB instances each minute, for CloudWatch: how full their storage is, how busy they are."""

import time
from datetime import datetime

import psutil
from moto.rds.models import rds_backends

from emulator import cloudwatch_metrics
from emulator.cloudwatch_metrics import Metric, Sample
from emulator.rds_instance import DBInstance

_GIB = 1024**3

_earlier: dict[str, tuple[float, float]] = {}
"""Of each instance by its resource id: when its CPU time was read last (time.monotonic), and what it was."""


def measure(now: datetime) -> None:
    """Put FreeStorageSpace and CPUUtilization of every instance that is available."""
    for regions in list(rds_backends.values()):
        for backend in list(regions.values()):
            for instance in list(backend.databases.values()):
                if instance.status == "available":
                    _measure(instance, now)


def _measure(instance: DBInstance, now: datetime) -> None:
    try:
        used, cpu_seconds = instance.usage()
    except psutil.NoSuchProcess:
        return  # it has just stopped
    free = max(0, instance.allocated_storage * _GIB - used)
    _put(instance, "FreeStorageSpace", Sample.single(now, free, "Bytes"))

    clock = time.monotonic()
    before = _earlier.get(instance.dbi_resource_id)
    _earlier[instance.dbi_resource_id] = clock, cpu_seconds
    if before is None or cpu_seconds < before[1]:
        return  # its first minute, or it was restarted
    busy = (cpu_seconds - before[1]) / (clock - before[0]) / psutil.cpu_count()
    _put(instance, "CPUUtilization", Sample.single(now, min(100.0, 100 * busy), "Percent"))


def _put(instance: DBInstance, name: str, sample: Sample) -> None:
    metric = Metric("AWS/RDS", name, frozenset({("DBInstanceIdentifier", instance.db_instance_identifier)}))
    cloudwatch_metrics.put(instance.account_id, instance.region, metric, sample)
