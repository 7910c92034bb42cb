"""KMS keys: their policies are checked as AWS checks them, and their rotation is described whole.

Key policies are evaluated in iam.py. moto keeps whatever text it is given as a policy.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import moto.kms.responses
from moto.core.utils import utcnow
from moto.kms.models import Key, KmsBackend

from emulator import iam_policy
from emulator.iam_identities import find_role, identify
from emulator.iam_policy import Effect, Request
from emulator.iam_resources import find_key, kms_key_arn
from emulator.overlay import FALL_THROUGH, AwsError, Context, operation

_VERSIONS = ("2012-10-17", "2008-10-17")
_ROTATION_DAYS = 365


@operation("kms", "CreateKey", "PutKeyPolicy")
def check_policy(ctx: Context, params: dict[str, Any]) -> Any:
    """Refuse a malformed policy, and one after which the caller could not change it any more; moto does the rest."""
    if "Policy" not in params:
        return FALL_THROUGH
    for fault in _faults(params["Policy"]):
        raise AwsError("MalformedPolicyDocumentException", fault)
    if not params.get("BypassPolicyLockoutSafetyCheck") and not _may_change(ctx, params["Policy"]):
        raise AwsError(
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update the key policy in the future.",
        )
    return FALL_THROUGH


def _faults(text: str) -> Iterator[str]:
    try:
        policy = json.loads(text)
    except json.JSONDecodeError as error:
        yield f"The policy is not in the valid JSON format. ({error})"
        return
    if not isinstance(policy, dict) or not policy.get("Statement"):
        yield "Policy document contains no statement."
        return
    if policy.get("Version", "2008-10-17") not in _VERSIONS:
        yield f"Policy version {policy['Version']} is not one of {', '.join(_VERSIONS)}."
    statements = policy["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        yield from _faults_of_statement(statement)


def _faults_of_statement(statement: Mapping[str, Any]) -> Iterator[str]:
    name = f"Statement {statement.get('Sid', json.dumps(statement))}"
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield f"{name}: Effect must be Allow or Deny."
    for element in ("Principal", "Action", "Resource"):
        if not statement.get(element) and not statement.get(f"Not{element}"):
            yield f"{name} has no {element}."
    principals = statement.get("Principal")
    if isinstance(principals, Mapping):
        named = principals.get("AWS", [])
        unknown = [each for each in (named if isinstance(named, list) else [named]) if not _exists(each)]
        if unknown:
            yield f"Policy contains a statement with one or more invalid principals: {', '.join(unknown)}"


def _exists(principal: str) -> bool:
    """An account, everybody, or a role that exists (a session and a user are taken on trust)."""
    if principal == "*" or re.fullmatch(r"\d{12}|arn:aws:(iam|sts)::\d{12}:(root|user/.+|assumed-role/.+)", principal):
        return True
    return find_role(principal) is not None


def _may_change(ctx: Context, policy: str) -> bool:
    """By the key's policy alone: to whom it leaves the account, there is somebody."""
    identity = identify(ctx.account, ctx.access_key)
    request = Request(identity.principal, "kms:PutKeyPolicy", "*", identity.context)
    return iam_policy.evaluate(policy, request) in (Effect.DELEGATE, Effect.ALLOW)


@operation("kms", "EnableKeyRotation")
def enable_key_rotation(ctx: Context, params: dict[str, Any]) -> Any:
    """Keep the period, which moto does not know; moto does the rest."""
    _key(ctx, params).rotation_days = params.get("RotationPeriodInDays", _ROTATION_DAYS)
    return FALL_THROUGH


@operation("kms", "GetKeyRotationStatus")
def get_key_rotation_status(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """Whether and how often the key's material is renewed."""
    key = _key(ctx, params)
    if not key.key_rotation_status:
        return {"KeyId": key.arn, "KeyRotationEnabled": False}
    return {
        "KeyId": key.arn,
        "KeyRotationEnabled": True,
        "RotationPeriodInDays": key.rotation_days,
        "NextRotationDate": utcnow() + timedelta(days=key.rotation_days),
    }


def _key(ctx: Context, params: Mapping[str, Any]) -> Key:
    arn = kms_key_arn(ctx.account, ctx.region, params["KeyId"])
    key = find_key(arn)
    if key is None:
        raise AwsError("NotFoundException", f"Key '{arn}' does not exist")
    return key


def _by_any_id(method: Callable[..., Any]) -> Callable[..., Any]:
    """moto finds a key by its ARN for some operations only."""
    return lambda backend, key_id, *arguments: method(backend, backend.any_id_to_key_id(key_id), *arguments)


for _name in ("disable_key", "enable_key", "cancel_key_deletion", "schedule_key_deletion"):
    setattr(KmsBackend, _name, _by_any_id(getattr(KmsBackend, _name)))

moto.kms.responses.validate_policy = lambda _key, _action: None  # iam.py evaluates policies, conditions included
