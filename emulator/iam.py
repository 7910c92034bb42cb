"""Authorizes every call in the place where moto would: role sessions may do what their policies allow, no more.

Administrators' keys are free (see iam_identities.py). What was asked, of what, by whom and with which outcome goes to
the request log: what a role was granted and never used, or used and was not granted, is a finding.
"""

import functools
import json
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
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

from emulator import iam_conditions, iam_kms, iam_resources, iam_s3, request_log
from emulator.iam_identities import Identity, find_role, identify
from emulator.iam_policy import Context, Decision, Effect, Policies, Principal, Request, decide, evaluate
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
    account = role_arn.split(":")[4]  # services act for the customer whose role it is
    return service_may(service, "sts:AssumeRole", role_arn, {"aws:sourceaccount": account})


def service_may(service: str, action: str, resource: str, context: Context) -> bool:
    """Whether an AWS service may do something in its own name, by the policy of a role, a bucket or a key.

    `resource` is an ARN, `context` holds condition keys in lower case; the decision goes to the request log.
    """
    guard = _guard(action, resource)
    request = Request(Principal(service=service), action, resource, context)
    allowed = guard.policy is not None and evaluate(guard.policy, request) is Effect.ALLOW
    _note(service, None, Need(action, resource), allowed)
    return allowed


def require(account: str, access_key: str, action: str, resource: str) -> None:
    """Authorize and log what an AWS service does in a role's name without a call that is seen here. Raises AwsError."""
    identity, need = identify(account, access_key), Need(action, resource)
    decision = _decide(need, identity, identity.context)
    _note(identity.arn, identity.role, need, decision.allowed)
    if not decision.allowed:
        sentence = f"User: {identity.arn} is not authorized to perform: {action} on resource: {resource}"
        raise AwsError("AccessDeniedException", f"{sentence} {decision.reason}")


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
        needs = _needs(call)
        context |= iam_conditions.request_keys(call)
    decisions = [(need, _decide(need, identity, context)) for need in needs]
    refused = [(need, decision) for need, decision in decisions if not decision.allowed]
    _log(identity, decisions)
    if s3_request and s3_request.deletes_many:
        response.refused_objects = frozenset(need.resource for need, _ in refused)
    elif refused:
        raise _refusal(response, identity, *refused[0])
    else:
        _refuse_unusable_keys(response, needs)


def _needs(call: iam_resources.Call) -> list[Need]:
    return iam_resources.needs(call) + iam_kms.needs(call)


def _log(identity: Identity, decisions: list[tuple[Need, Decision]]) -> None:
    """What the caller asked goes into the request's record; what services ask in its name are records of their own."""
    own = [(need, decision.allowed) for need, decision in decisions if need.via is None]
    shown = next(((need, allowed) for need, allowed in own if not allowed), own[-1] if own else None)
    request_log.annotate(principal=identity.arn, role=identity.role, **_decisions(shown, own))
    for need, decision in decisions:
        if need.via is not None:
            _note(identity.arn, identity.role, need, decision.allowed)


def _note(principal: str, role: str | None, need: Need, allowed: bool) -> None:
    via = need.via and f"{need.via}.amazonaws.com"
    request_log.note(principal=principal, role=role, via=via, **_decisions((need, allowed), [(need, allowed)]))


def _decisions(shown: tuple[Need, bool] | None, decided: list[tuple[Need, bool]]) -> dict[str, Any]:
    """The fields of a record that tell what was decided; `shown` stands for all."""
    return {
        "action": shown and shown[0].action,
        "resource": shown and shown[0].resource,
        "decision": "deny" if shown and not shown[1] else "allow",
        "permissions": [
            {"action": need.action, "resource": need.resource, "allowed": allowed} for need, allowed in decided
        ],
    }


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
    return decide(request, policies_on(need.action, need.resource, identity))


def policies_on(action: str, resource: str, identity: Identity) -> Policies:
    """Every policy that bears on what an identity asks of a resource."""
    guard = _guard(action, resource)
    return Policies(
        identity=identity.policies,
        boundary=identity.boundary,
        session=identity.session_policy,
        resource=guard.policy,
        resource_kind=guard.kind,
        resource_must_allow=guard.must_allow,
        same_account=guard.account in (None, identity.principal.account),
    )


@dataclass(frozen=True)
class _Guard:
    """What a resource itself says about who may use it, and the account that owns it; None where it does not tell."""

    policy: str | None = None
    account: str | None = None
    kind: str = "resource-based policy"
    must_allow: bool = False


def _guard(action: str, resource: str) -> _Guard:
    if action == "sts:AssumeRole":
        role = find_role(resource)
        account = role.account_id if role else ""
        return _Guard(role and role.assume_role_policy_document, account, "role trust policy", must_allow=True)
    if resource.startswith("arn:aws:s3:::"):
        owned = iam_s3.find_bucket(resource.removeprefix("arn:aws:s3:::").partition("/")[0])
        if owned is None or action == "s3:CreateBucket":  # S3 itself says that a name is taken
            return _Guard()
        account, bucket = owned
        return _Guard(bucket.policy.decode() if bucket.policy else None, account)
    if key := iam_resources.find_key(resource):
        return _Guard(key.policy, key.account_id, must_allow=True)
    account = resource.split(":")[4] if resource.startswith("arn:") else ""
    return _Guard(account=account if account.isdigit() else None)


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


def _refuse_unusable_keys(response: BaseResponse, needs: list[Need]) -> None:
    """A key that is gone, disabled or about to be deleted encrypts and decrypts nothing, whoever asks."""
    for need in needs:
        if need.via is None or need.resource == "*":
            continue
        state = iam_kms.refusal(need)
        if state is not None:
            raise S3ClientError(*state) if isinstance(response, S3Response) else AwsError(*state)


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
