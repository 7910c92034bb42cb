"""Glue crawlers: starting, stopping, scheduling and describing them (a crawl itself is in glue_crawls.py)."""

import json
import operator
import statistics
import threading
from collections.abc import Callable
from typing import Any

import moto.glue.models
from moto.glue.models import FakeCrawler, glue_backends

from emulator.glue_crawls import Crawl
from emulator.glue_paging import page
from emulator.glue_schedules import Scheduled
from emulator.overlay import AwsError, Context, not_emulated, operation

_CRAWLS_PER_PAGE = 20
_CRAWLERS_PER_PAGE = 100

_starting = threading.Lock()


class Crawler(Scheduled, FakeCrawler):
    """A crawler that really crawls: moto keeps its definition, this its crawls."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.history: list[Crawl] = []
        self.is_scheduled = True  # if it has a schedule

    @property
    def account(self) -> str:
        return self.backend.account_id

    @property
    def region(self) -> str:
        return self.backend.region_name

    @property
    def jdbc_targets(self) -> list[dict[str, Any]]:
        return self.targets.get("JdbcTargets", [])

    @property
    def s3_targets(self) -> list[dict[str, Any]]:
        return self.targets.get("S3Targets", [])

    @property
    def status(self) -> str:
        """READY, RUNNING or STOPPING."""
        if not self.history or not self.history[-1].is_live:
            return "READY"
        return "STOPPING" if self.history[-1].state == "CANCELLING" else "RUNNING"

    def start(self, on_end: Callable[[Crawl], None] = lambda crawl: None) -> Crawl:
        """Start a crawl; `on_end` is called when it has ended."""
        self._refuse_what_is_not_emulated()
        with _starting:
            if self.status != "READY":
                raise AwsError("CrawlerRunningException", f"Crawler with name {self.name} has already started")
            crawl = Crawl(self, on_end)
            self.history.append(crawl)
        crawl.launch()
        return crawl

    def _refuse_what_is_not_emulated(self) -> None:
        targets = {kind for kind, targets in self.targets.items() if targets} - {"JdbcTargets", "S3Targets"}
        queues = {
            name for target in self.s3_targets for name, arn in target.items() if arn and name.endswith("EventQueueArn")
        }
        configuration = json.loads(self.configuration or "{}")
        settings = configuration.keys() - {"Version", "CrawlerOutput"}
        # Partitions always get the table's columns, which is what InheritFromTable asks for.
        outputs = configuration.get("CrawlerOutput", {}).keys() - {"Partitions"}
        policy = (self.recrawl_policy or {}).get("RecrawlBehavior", "CRAWL_EVERYTHING")
        if unknown := {*targets, *queues, *settings, *outputs, policy} - {"CRAWL_EVERYTHING"}:
            raise not_emulated("glue", "StartCrawler", f"{', '.join(sorted(unknown))} of {self.name}")

    def as_dict(self) -> dict[str, Any]:
        description = super().as_dict()
        if self.schedule:
            description["Schedule"]["State"] = "SCHEDULED" if self.is_scheduled else "NOT_SCHEDULED"
        if self.status != "READY":
            description["CrawlElapsedTime"] = int(self.history[-1].seconds * 1000)
        if ended := [crawl for crawl in self.history if not crawl.is_live]:
            description["LastCrawl"] = ended[-1].as_last_crawl()
        return description

    def as_metrics(self) -> dict[str, Any]:
        """The crawler as GetCrawlerMetrics has it."""
        ended = [crawl for crawl in self.history if not crawl.is_live]
        seconds = [crawl.seconds for crawl in ended]
        return {
            "CrawlerName": self.name,
            "TimeLeftSeconds": 0.0,
            "StillEstimating": self.status != "READY",
            "LastRuntimeSeconds": seconds[-1] if seconds else 0.0,
            "MedianRuntimeSeconds": statistics.median(seconds) if seconds else 0.0,
            "TablesCreated": sum(len(crawl.changes.created) for crawl in ended),
            "TablesUpdated": sum(len(crawl.changes.updated) for crawl in ended),
            "TablesDeleted": sum(len(crawl.changes.deleted) for crawl in ended),
        }


moto.glue.models.FakeCrawler = Crawler


@operation("glue", "StartCrawler")
def start_crawler(ctx: Context, params: dict[str, Any]) -> None:
    """Crawl now, whatever the schedule."""
    _crawler(ctx, params["Name"]).start()


@operation("glue", "StopCrawler")
def stop_crawler(ctx: Context, params: dict[str, Any]) -> None:
    """Stop the crawl that runs."""
    crawler = _crawler(ctx, params["Name"])
    if crawler.status == "READY":
        raise AwsError("CrawlerNotRunningException", f"Crawler with name {crawler.name} isn't running")
    if crawler.status == "STOPPING":
        raise AwsError("CrawlerStoppingException", f"Crawler with name {crawler.name} is stopping")
    crawler.history[-1].stop()


@operation("glue", "DeleteCrawler")
def delete_crawler(ctx: Context, params: dict[str, Any]) -> None:
    """Delete a crawler that does not run, with its tags."""
    crawler = _crawler(ctx, params["Name"])
    if crawler.status != "READY":
        raise AwsError("CrawlerRunningException", f"Crawler with name {crawler.name} is running")
    crawler.backend.delete_crawler(crawler.name)
    crawler.backend.tagger.delete_all_tags_for_resource(crawler.arn)


@operation("glue", "GetCrawlerMetrics")
def get_crawler_metrics(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """How long crawls took and what they changed; of all crawlers, or of those named."""
    named = params.get("CrawlerNameList") or list(glue_backends[ctx.account][ctx.region].crawlers)
    crawlers, token = page([_crawler(ctx, name) for name in named], "name", params, _CRAWLERS_PER_PAGE)
    return {"CrawlerMetricsList": [crawler.as_metrics() for crawler in crawlers], "NextToken": token}


@operation("glue", "ListCrawls")
def list_crawls(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """A crawler's crawls, newest first, of those that pass all filters."""
    passing = [
        crawl
        for crawl in reversed(_crawler(ctx, params["CrawlerName"]).history)
        if all(_passes(crawl, criterion) for criterion in params.get("Filters", []))
    ]
    crawls, token = page(passing, "id", params, _CRAWLS_PER_PAGE)
    return {"Crawls": [crawl.as_history() for crawl in crawls], "NextToken": token}


def _passes(crawl: Crawl, criterion: dict[str, str]) -> bool:
    name, value = criterion["FieldName"], criterion["FieldValue"]
    if name in ("START_TIME", "END_TIME"):
        actual = crawl.started_on if name == "START_TIME" else crawl.completed_on
        # Times are given in milliseconds; what has not ended yet passes no filter by its end.
        compared = (actual.timestamp() * 1000, float(value)) if actual else None
    elif name in ("CRAWL_ID", "STATE"):
        compared = (crawl.id if name == "CRAWL_ID" else crawl.history_state, value)
    else:
        raise not_emulated("glue", "ListCrawls", f"filter by {name}")
    return compared is not None and getattr(operator, criterion["FilterOperator"].lower())(*compared)


@operation("glue", "UpdateCrawlerSchedule")
def update_crawler_schedule(ctx: Context, params: dict[str, Any]) -> None:
    """Set a crawler's schedule; without one it no longer has any."""
    crawler = _crawler(ctx, params["CrawlerName"])
    crawler.schedule = params.get("Schedule")
    crawler.is_scheduled = True


@operation("glue", "StartCrawlerSchedule")
def start_crawler_schedule(ctx: Context, params: dict[str, Any]) -> None:
    """Follow the schedule again."""
    crawler = _crawler(ctx, params["CrawlerName"])
    if not crawler.schedule:
        raise AwsError("NoScheduleException", f"Crawler with name {crawler.name} has no schedule")
    if crawler.is_scheduled:
        raise AwsError("SchedulerRunningException", f"The schedule of crawler {crawler.name} is running")
    crawler.is_scheduled = True


@operation("glue", "StopCrawlerSchedule")
def stop_crawler_schedule(ctx: Context, params: dict[str, Any]) -> None:
    """No longer follow the schedule; a crawl that runs goes on."""
    crawler = _crawler(ctx, params["CrawlerName"])
    if not crawler.schedule or not crawler.is_scheduled:
        raise AwsError("SchedulerNotRunningException", f"The schedule of crawler {crawler.name} is not running")
    crawler.is_scheduled = False


def _crawler(ctx: Context, name: str) -> Crawler:
    crawlers = glue_backends[ctx.account][ctx.region].crawlers
    if name not in crawlers:
        raise AwsError("EntityNotFoundException", f"Crawler entry with name {name} does not exist")
    return crawlers[name]
