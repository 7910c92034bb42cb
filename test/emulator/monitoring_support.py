"""An emulator of short minutes, with topics that deliver to queues which tests read."""

import json
import uuid
from typing import Any

from conftest import ACCOUNT, REGION, Emulator
from glue_support import wait_for

SERVICES = ("cloudwatch.amazonaws.com", "events.amazonaws.com", "budgets.amazonaws.com")


def topic_policy(arn: str, *services: str, **elements: Any) -> str:
    """A topic's policy that lets AWS services publish."""
    statements = [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sns:Publish", "Resource": arn, **elements}
        for service in services
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class Inbox:
    """A topic and a queue that receives what is published to it."""

    def __init__(self, emulator: Emulator, *publishers: str, **attributes: str) -> None:
        self._sqs = emulator.client("sqs")
        sns = emulator.client("sns")
        name = f"inbox-{uuid.uuid4().hex[:8]}"
        self.arn = sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]
        if publishers:
            sns.set_topic_attributes(
                TopicArn=self.arn, AttributeName="Policy", AttributeValue=topic_policy(self.arn, *publishers)
            )
        self._url = subscribe_queue(emulator, self.arn)
        self.messages: list[dict[str, Any]] = []
        """Notifications as SNS delivers them, so far."""

    def receive(self) -> list[dict[str, Any]]:
        """What has come by now."""
        response = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
        for message in response.get("Messages", []):
            self.messages.append(json.loads(message["Body"]))
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return self.messages

    def await_message(self, text: str) -> dict[str, Any]:
        """Wait for a notification whose subject or message contains a text."""

        def matching() -> list[dict[str, Any]]:
            return [each for each in self.receive() if text in each.get("Subject", "") + each["Message"]]

        return wait_for(matching, bool)[0]


def subscribe_queue(emulator: Emulator, topic_arn: str) -> str:
    """Make a queue that takes a topic's messages; returns its URL."""
    name = f"queue-{uuid.uuid4().hex[:8]}"
    queue_arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    url = emulator.client("sqs").create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
    emulator.client("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)
    return url
