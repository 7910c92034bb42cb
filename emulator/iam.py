"""Authorizes every call in the place where moto would: role sessions may do what their policies allow, no more.

Administrators' keys are free (see iam_identities.py). What was asked, of what, by whom and with which outcome goes to
the request log: what a role was granted and never used, or used and was not granted, is a finding.
"""

import functools
import json
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import ServiceException
from moto.core.responses import BaseResponse
from moto.core.utils import get_service_model, utcnow
from moto.iam.access_control import PermissionResult
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response

from emulator import iam_conditions, iam_resources, iam_s3, request_log
from emulator.iam_identities import Identity, find_role, identify
from emulator.iam_policy import Decision, Effect, Policies, Principal, Request, decide, evaluate
from emulator.iam_resources import Need
from emulator.overlay import AwsError

# Allowed to everybody, whatever the policies say.
_ALWAYS_ALLOWED = {"sts:GetCallerIdentity"}


class S3AccessDenied(S3ClientError):
    """S3's refusal, in its own XML."""

    def __init__(self, message: str) -> None:
        super().__init__("AccessDenied", message)


def trusts(role_arn: str, service: str) -> bool:
    """Whether an AWS service ("glue.amazonaws.com") may assume a role, by the role's trust policy."""
    role = find_role(role_arn)
    if role is None:
        return False
    request = Request(Principal(service=service), "sts:AssumeRole", role_arn, {})
    return evaluate(role.assume_role_policy_document, request) is Effect.ALLOW


def _authorize(response: BaseResponse, _request_class: type, _resource: str = "*") -> None:
    """Stands in for moto's check of one call; raises the service's own refusal."""
    identity = identify(response.current_account, response.access_key)
    _refuse_expired(response, identity)
    context = {**identity.context, **_request_context(response)}
    s3_request = _s3_request(response) if isinstance(response, S3Response) else None
    if s3_request:
        needs = iam_s3.needs(s3_request)
    else:
        call = _call(response)
        needs = iam_resources.needs(call)
        context |= iam_conditions.request_keys(call)
    decisions = [(need, _decide(need, identity, context)) for need in needs]
    refused = [(need, decision) for need, decision in decisions if not decision.allowed]
    _annotate_log(identity, decisions, refused)
    if s3_request and s3_request.deletes_many:
        response.refused_objects = frozenset(need.resource for need, _ in refused)
    elif refused:
        raise _refusal(response, identity, *refused[0])


def _annotate_log(
    identity: Identity, decisions: list[tuple[Need, Decision]], refused: list[tuple[Need, Decision]]
) -> None:
    """`action` and `resource` are the first refused, else the last needed; `permissions` are all that were needed."""
    shown = refused[:1] or decisions[-1:]
    request_log.annotate(
        principal=identity.arn,
        action=shown[0][0].action if shown else None,
        resource=shown[0][0].resource if shown else None,
        decision="deny" if refused else "allow",
        permissions=[
            {"action": need.action, "resource": need.resource, "allowed": decision.allowed}
            for need, decision in decisions
        ],
    )


# --- What is asked


def _call(response: BaseResponse) -> iam_resources.Call:
    return iam_resources.Call(
        service=_iam_prefix(response.boto3_service_name),
        operation=response._get_action(),
        parameters=_parameters(response),
        account=response.current_account,
        region=response.region,
    )


def _s3_request(response: S3Response) -> iam_s3.S3Request:
    return iam_s3.S3Request(
        method=response.method,
        bucket=response.bucket_name or "",
        key=response.parse_key_name() or "",
        query=response.normalized_request.args.to_dict(),
        headers=response.headers,
        body=response.body,
        region=response.region,
    )


def _parameters(response: BaseResponse) -> Mapping[str, Any]:
    """The call's parameters: a JSON body's, or a form's ("Names.member.1" and so on)."""
    if response.headers.get("X-Amz-Target"):
        return json.loads(response.body or "{}")
    return {name: values[0] for name, values in response.querystring.items() if isinstance(values, list)}


@functools.cache
def _iam_prefix(service: str) -> str:
    """IAM's name of a service: the one its requests are signed for, but for CloudWatch."""
    name = get_service_model(service).signing_name
    return "cloudwatch" if name == "monitoring" else name


def _request_context(response: BaseResponse) -> dict[str, str]:
    """The condition keys that every request has."""
    now = datetime.now(UTC)
    context = {
        # Calls come as plain HTTP over the loopback interface; on AWS the same client speaks TLS, so a policy that
        # denies what is not encrypted must not refuse them here.
        "aws:securetransport": "true",
        "aws:sourceip": "127.0.0.1",
        "aws:requestedregion": response.region,
        "aws:currenttime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:epochtime": str(int(now.timestamp())),
        "aws:useragent": response.headers.get("User-Agent", ""),
    }
    for parameter in ("ExternalId", "RoleSessionName"):
        if parameter in response.querystring:
            context[f"sts:{parameter.lower()}"] = response.querystring[parameter][0]
    return context


# --- May they?


def _decide(need: Need, identity: Identity, context: Mapping[str, Any]) -> Decision:
    if need.action in _ALWAYS_ALLOWED:
        return Decision(True)
    keys = {**context, **iam_conditions.resource_keys(need.resource), **need.context}
    request = Request(identity.principal, need.action, need.resource, keys)
    return decide(request, _policies(need, identity))


def _policies(need: Need, identity: Identity) -> Policies:
    common = {"identity": identity.policies, "boundary": identity.boundary, "session": identity.session_policy}
    if need.action == "sts:AssumeRole":
        role = find_role(need.resource)
        return Policies(
            **common,
            resource=role and role.assume_role_policy_document,
            resource_kind="role trust policy",
            resource_must_allow=True,
            same_account=role is not None and role.account_id == identity.principal.account,
        )
    if need.resource.startswith("arn:aws:s3:::"):
        bucket_name = need.resource.removeprefix("arn:aws:s3:::").partition("/")[0]
        if owned := iam_s3.find_bucket(bucket_name):
            account, bucket = owned
            policy = bucket.policy.decode() if bucket.policy else None
            return Policies(**common, resource=policy, same_account=account == identity.principal.account)
    return Policies(**common)


# --- Refusals, as each service words them


def _refusal(response: BaseResponse, identity: Identity, need: Need, decision: Decision) -> ServiceException:
    sentence = f"User: {identity.arn} is not authorized to perform: {need.action} on resource: "
    if isinstance(response, S3Response):
        return S3AccessDenied(f'{sentence}"{need.resource}" {decision.reason}')
    if need.action.startswith("athena:"):
        message = (
            f"You are not authorized to perform: {need.action} on the resource. After your AWS administrator or you "
            "have updated your permissions, please try again."
        )
        return AwsError("AccessDeniedException", message)
    if response.headers.get("X-Amz-Target"):
        return AwsError("AccessDeniedException", f"{sentence}{need.resource} {decision.reason}")
    return AwsError("AccessDenied", f"{sentence}{need.resource} {decision.reason}", 403)


def _refuse_expired(response: BaseResponse, identity: Identity) -> None:
    if identity.expires is None or utcnow() < identity.expires:
        return
    code = "ExpiredTokenException" if response.headers.get("X-Amz-Target") else "ExpiredToken"
    raise AwsError(code, "The security token included in the request is expired")


# --- In moto's place

_refused_objects: ContextVar[frozenset[str]] = ContextVar("refused_objects", default=frozenset())
_delete_objects = S3Response._bucket_response_delete_keys


def _delete_permitted_objects(response: S3Response, bucket_name: str) -> Any:
    """DeleteObjects answers for each key by itself: those that the caller may not delete are errors in its result."""
    token = _refused_objects.set(response.refused_objects)
    try:
        return _delete_objects(response, bucket_name)
    finally:
        _refused_objects.reset(token)


def _bucket_permission(_bucket: FakeBucket, _action: str, resource: str) -> PermissionResult:
    """moto's reading of bucket policies knows neither principals nor conditions, so they are decided above."""
    return PermissionResult.DENIED if resource in _refused_objects.get() else PermissionResult.NEUTRAL


ActionAuthenticatorMixin._authenticate_and_authorize_action = _authorize
S3Response._bucket_response_delete_keys = _delete_permitted_objects
FakeBucket.get_permission = _bucket_permission
