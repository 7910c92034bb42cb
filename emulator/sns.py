"""How AWS services publish to SNS topics, and who receives what is published.

A service's message is refused by a topic whose policy does not let the service publish, and by a topic whose key's
policy does not let the service use the key.
"""

import json
from dataclasses import dataclass
from typing import Any

from moto.sns.models import Subscription, Topic, sns_backends
from moto.sqs.exceptions import QueueDoesNotExist
from moto.sqs.models import sqs_backends

from emulator.iam_policy import Context as ConditionKeys
from emulator.iam_policy import Effect, Principal, Request, evaluate
from emulator.iam_resources import find_key, kms_key_arn
from emulator.overlay import AwsError, Context, operation

# To be confirmed by who receives them; here nobody reads mail.
_CONFIRMED_BY_RECEIVER = ("email", "email-json", "http", "https")


@dataclass(frozen=True)
class Sender:
    """An AWS service, and the resource that it publishes for."""

    service: str  # "cloudwatch.amazonaws.com"
    account: str
    source_arn: str

    @property
    def condition_keys(self) -> ConditionKeys:
        """EventBridge says nothing of whom it publishes for: "You can't use Condition blocks in Amazon SNS topic
        policies for EventBridge" (EventBridge user guide, resource-based policies).
        """
        if self.service == "events.amazonaws.com":
            return {}
        return {"aws:sourceaccount": self.account, "aws:sourcearn": self.source_arn}


def publish(sender: Sender, topic_arn: str, message: str, subject: str | None = None) -> None:
    """Publish as a service does; raises AwsError when the topic or its key refuses."""
    _, _, _, region, account, _ = topic_arn.split(":", 5)
    topic = sns_backends[account][region].topics.get(topic_arn)
    if topic is None:
        raise AwsError("NotFound", f"Topic does not exist: {topic_arn}", 404)
    _check_topic(sender, topic)
    _check_key(sender, topic, region)
    topic.publish(message, subject=subject)


def _check_topic(sender: Sender, topic: Topic) -> None:
    requests = [Request(Principal(service=sender.service), "sns:Publish", topic.arn, sender.condition_keys)]
    if sender.service == "cloudwatch.amazonaws.com":
        # CloudWatch publishes for the alarm's account, which a topic's default policy lets in.
        owner = {**sender.condition_keys, "aws:sourceowner": sender.account}
        requests.append(Request(Principal(account=sender.account), "sns:Publish", topic.arn, owner))
    if max(evaluate(topic.policy, request) for request in requests) is not Effect.ALLOW:
        raise AwsError(
            "AuthorizationError",
            f"Resource: {sender.source_arn} is not authorized to perform: SNS:Publish on resource: {topic.arn}",
            403,
        )


def _check_key(sender: Sender, topic: Topic, region: str) -> None:
    if not topic.kms_master_key_id:
        return
    key = find_key(kms_key_arn(topic.account_id, region, topic.kms_master_key_id))
    keys = {
        **sender.condition_keys,
        "kms:viaservice": f"sns.{region}.amazonaws.com",
        "kms:encryptioncontext:aws:sns:topicarn": topic.arn,
    }
    # Without a key of the customer's it is the one that AWS manages for SNS, whose policy lets no other service in.
    allowed = key is not None and all(
        evaluate(key.policy, Request(Principal(service=sender.service), action, key.arn, keys)) is Effect.ALLOW
        for action in ("kms:GenerateDataKey", "kms:Decrypt")
    )
    if not allowed:
        raise AwsError(
            "KMSAccessDenied",
            f"{sender.service} is not authorized to access the SNS Topic encryption key {topic.kms_master_key_id}",
        )
    if not key.enabled:
        raise AwsError("KMSDisabled", f"{key.arn} is disabled.")


# --- Who receives


@operation("sns", "Subscribe")
def subscribe(ctx: Context, params: dict[str, Any]) -> Any:
    """As moto; but what a person or a web server receives waits for their consent."""
    result = ctx.response.subscribe().result
    subscription = ctx.response.backend.subscriptions[result["SubscriptionArn"]]
    if params["Protocol"] in _CONFIRMED_BY_RECEIVER:
        subscription.attributes["PendingConfirmation"] = True
        if not params.get("ReturnSubscriptionArn"):
            return {"SubscriptionArn": "pending confirmation"}
    return result


_moto_publish = Subscription.publish


def _publish(subscription: Subscription, *arguments: Any, **options: Any) -> None:
    """Deliver to who has consented; a queue's consent is its policy."""
    if subscription.attributes["PendingConfirmation"]:
        return
    if subscription.protocol == "sqs" and not _queue_accepts(subscription):
        return
    _moto_publish(subscription, *arguments, **options)


def _queue_accepts(subscription: Subscription) -> bool:
    _, _, _, region, account, name = subscription.endpoint.split(":", 5)
    try:
        queue = sqs_backends[account][region].get_queue(name)
    except QueueDoesNotExist:
        return False
    keys = {"aws:sourcearn": subscription.topic.arn, "aws:sourceaccount": subscription.topic.account_id}
    request = Request(Principal(service="sns.amazonaws.com"), "sqs:SendMessage", queue.queue_arn, keys)
    policy = queue.policy if isinstance(queue.policy, str) else json.dumps(queue.policy)
    return bool(queue.policy) and evaluate(policy, request) is Effect.ALLOW


Subscription.publish = _publish
