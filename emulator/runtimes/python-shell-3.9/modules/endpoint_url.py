"""Lets botocore 1.24, which Python shell jobs have, follow AWS_ENDPOINT_URL as it does from 1.31 on.

AWS itself sets no such variable; without this a job could not reach the emulator, and jobs must not know of it.
"""

import os
from collections.abc import Callable
from typing import Any

import botocore.session

create_client: Callable[..., Any] = botocore.session.Session.create_client


def create_client_at_endpoint(session: Any, *args: Any, endpoint_url: str | None = None, **kwargs: Any) -> Any:
    return create_client(session, *args, endpoint_url=endpoint_url or os.environ.get("AWS_ENDPOINT_URL"), **kwargs)


botocore.session.Session.create_client = create_client_at_endpoint
