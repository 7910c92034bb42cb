"""AWS Budgets: moto keeps budgets; here are subscribers, tags and changes, and the notifications themselves.

Nothing here costs anything: the actual and the forecasted spend of every budget is zero.
"""

import json
import logging
from collections import defaultdict
from typing import Any

from moto.budgets.models import Budget, Notification, budgets_backends

from emulator import sns
from emulator.overlay import AwsError, Context, operation

_SPEND = 0.0
_KEY = ("NotificationType", "ComparisonOperator", "Threshold")

_tags: dict[str, dict[str, str]] = defaultdict(dict)

_log = logging.getLogger(__name__)


@operation("budgets", "CreateBudget")
def create_budget(ctx: Context, params: dict[str, Any]) -> None:
    """Create a budget, with its notifications and tags."""
    budget = _as_sent(ctx)["Budget"]
    notifications = params.get("NotificationsWithSubscribers", [])
    for each in notifications:
        _check_subscribers(ctx, each["Subscribers"])
    ctx.response.backend.create_budget(params["AccountId"], budget, notifications)
    _tags[_arn(ctx.account, budget["BudgetName"])] = _pairs(params.get("ResourceTags", []))


@operation("budgets", "UpdateBudget")
def update_budget(ctx: Context, params: dict[str, Any]) -> None:
    """Change what the budget says; its notifications stay."""
    new = _as_sent(ctx)["NewBudget"]
    budget = _budget(ctx, {**params, "BudgetName": new["BudgetName"]})
    budget.budget = {**budget.budget, **new}


@operation("budgets", "DeleteBudget")
def delete_budget(ctx: Context, params: dict[str, Any]) -> None:
    """Delete a budget and its tags."""
    ctx.response.backend.delete_budget(params["AccountId"], params["BudgetName"])
    _tags.pop(_arn(ctx.account, params["BudgetName"]), None)


@operation("budgets", "CreateNotification")
def create_notification(ctx: Context, params: dict[str, Any]) -> None:
    """Add a notification with its subscribers."""
    budget = _budget(ctx, params)
    key = _key(params["Notification"])
    if any(_key(each.details) == key for each in budget.notifications):
        raise AwsError("DuplicateRecordException", f"the notification {key} already exists")
    _check_subscribers(ctx, params["Subscribers"])
    budget.notifications.append(Notification(params["Notification"], params["Subscribers"]))


@operation("budgets", "DeleteNotification")
def delete_notification(ctx: Context, params: dict[str, Any]) -> None:
    """Remove a notification with its subscribers."""
    notification = _notification(ctx, params)
    _budget(ctx, params).notifications.remove(notification)


@operation("budgets", "DescribeSubscribersForNotification")
def describe_subscribers(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Who is told."""
    return {"Subscribers": _notification(ctx, params).subscribers}


@operation("budgets", "ListTagsForResource")
def list_tags(_ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Tags of a budget."""
    return {"ResourceTags": [{"Key": key, "Value": value} for key, value in _tags[params["ResourceARN"]].items()]}


@operation("budgets", "TagResource")
def tag(_ctx: Context, params: dict[str, Any]) -> None:
    """Add and replace tags."""
    _tags[params["ResourceARN"]] |= _pairs(params["ResourceTags"])


@operation("budgets", "UntagResource")
def untag(_ctx: Context, params: dict[str, Any]) -> None:
    """Remove tags by their keys."""
    for key in params["ResourceTagKeys"]:
        _tags[params["ResourceARN"]].pop(key, None)


def _as_sent(ctx: Context) -> dict[str, Any]:
    """The request with its times as numbers, as moto keeps and answers them."""
    return json.loads(ctx.response.body)


def _budget(ctx: Context, params: dict[str, Any]) -> Budget:
    budget = ctx.response.backend.budgets[params["AccountId"]].get(params["BudgetName"])
    if budget is None:
        raise AwsError("NotFoundException", f"Unable to get budget: {params['BudgetName']} - the budget doesn't exist.")
    return budget


def _notification(ctx: Context, params: dict[str, Any]) -> Notification:
    key = _key(params["Notification"])
    for notification in _budget(ctx, params).notifications:
        if _key(notification.details) == key:
            return notification
    raise AwsError("NotFoundException", f"Unable to get notification: {key} - the notification doesn't exist.")


def _key(notification: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(notification[name] for name in _KEY)


def _check_subscribers(ctx: Context, subscribers: list[dict[str, str]]) -> None:
    for subscriber in subscribers:
        address = subscriber["Address"]
        if subscriber["SubscriptionType"] == "SNS" and not address.startswith("arn:aws:sns:"):
            raise AwsError("InvalidParameterException", f"Please comply with SNS Topic ARN format: {address}")
        if subscriber["SubscriptionType"] == "SNS" and address.split(":")[4] != ctx.account:
            raise AwsError("InvalidParameterException", f"Invalid SNS topic: {address} is of another account")


def _pairs(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _arn(account: str, name: str) -> str:
    return f"arn:aws:budgets::{account}:budget/{name}"


# --- Notifications


def notify() -> None:
    """Tell the topics of every notification whose threshold is crossed, once until it no longer is."""
    for partitions in list(budgets_backends.values()):
        for account, budgets in list(partitions["aws"].budgets.items()):
            for name, budget in list(budgets.items()):
                for notification in list(budget.notifications):
                    _notify(account, name, budget, notification)


def _notify(account: str, name: str, budget: Budget, notification: Notification) -> None:
    details = notification.details
    limit = float(budget.budget["BudgetLimit"]["Amount"]) if "BudgetLimit" in budget.budget else 0.0
    percentage = details.get("ThresholdType", "PERCENTAGE") == "PERCENTAGE"
    threshold = limit * details["Threshold"] / 100 if percentage else details["Threshold"]
    crossed = {
        "GREATER_THAN": threshold < _SPEND,
        "LESS_THAN": threshold > _SPEND,
        "EQUAL_TO": threshold == _SPEND,
    }[details["ComparisonOperator"]]
    before = details.get("NotificationState", "OK")
    details["NotificationState"] = "ALARM" if crossed else "OK"
    if not crossed or before == "ALARM":
        return
    sender = sns.Sender("budgets.amazonaws.com", account, _arn(account, name))
    text = (
        f"AWS Budget Notification\nAWS Account {account}\n\nDear AWS Customer,\n\nYou requested that we alert you when "
        f"the {details['NotificationType']} Cost associated with your {name} budget is "
        f"{details['ComparisonOperator'].lower().replace('_', ' ')} ${threshold:.2f} for the current month. The "
        f"{details['NotificationType']} Cost associated with this budget is ${_SPEND:.2f}."
    )
    for subscriber in notification.subscribers:
        if subscriber["SubscriptionType"] != "SNS":
            continue
        try:
            sns.publish(sender, subscriber["Address"], text, f"AWS Budgets: {name} has exceeded your alert threshold")
        except AwsError as error:
            _log.warning("budget %s: %s was not told: %s", name, subscriber["Address"], error.message)
