"""CloudWatch dashboards: moto keeps them; here their bodies are checked as CloudWatch checks them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from emulator.overlay import FALL_THROUGH, AwsError, Context, operation

_COLUMNS = 24
_TYPES = {
    "alarm": ["alarms"],
    "explorer": ["metrics"],
    "log": ["query", "region"],
    "metric": ["region"],
    "text": ["markdown"],
}
"""Kinds of widgets, with the properties that each must have."""


@operation("cloudwatch", "PutDashboard")
def put_dashboard(_ctx: Context, params: dict[str, Any]) -> Any:
    """Refuse a body that shows nothing sensible; the message names the place."""
    complaints = list(_complaints(params["DashboardBody"]))
    if complaints:
        raise AwsError(
            "InvalidParameterInput",
            f"The dashboard body is invalid, there are {len(complaints)} validation errors: {'; '.join(complaints)}",
        )
    return FALL_THROUGH


def _complaints(text: str) -> Iterator[str]:
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        yield f"/: {error}"
        return
    if not isinstance(body, dict) or not isinstance(body.get("widgets"), list):
        yield "/: Should have property 'widgets', an array"
        return
    for number, widget in enumerate(body["widgets"]):
        for complaint in _of_widget(widget):
            yield f"/widgets/{number}{complaint}"


def _of_widget(widget: Mapping[str, Any]) -> Iterator[str]:
    if widget.get("type") not in _TYPES:
        yield f"/type: Should match exactly one of {', '.join(_TYPES)}, not {widget.get('type')}"
        return
    x, width, height = (widget.get(name, default) for name, default in (("x", 0), ("width", 6), ("height", 6)))
    if not (0 <= x < _COLUMNS and width >= 1 and x + width <= _COLUMNS):
        yield f": x {x} and width {width} should be within {_COLUMNS} columns"
    if not 1 <= height <= 1000:
        yield f"/height: Should be from 1 to 1000, not {height}"
    properties = widget.get("properties", {})
    for name in _TYPES[widget["type"]]:
        if name not in properties:
            yield f"/properties: Should have required property '{name}'"
    for number, metric in enumerate(properties.get("metrics", [])):
        yield from _of_metric(metric, f"/properties/metrics/{number}")


def _of_metric(metric: Any, place: str) -> Iterator[str]:
    """A metric is `[namespace, name, dimension, value, …, {options}]`, or `[{expression}]`."""
    if not isinstance(metric, list) or not metric:
        yield f"{place}: Should be an array with a namespace and a metric name"
        return
    words = metric[:-1] if isinstance(metric[-1], dict) else metric
    if not words:
        if "expression" not in metric[-1]:
            yield f"{place}: Should have a metric or an expression"
    elif not all(isinstance(word, str) and word for word in words) or len(words) % 2 or len(words) < 2:
        yield f"{place}: Should be a namespace, a metric name, and pairs of a dimension and its value"
