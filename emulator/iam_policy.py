"""IAM policy evaluation: may this principal do this, given these policies? Pure functions over policy texts.

Follows the "Policy evaluation logic" chapter of the IAM user guide: an explicit deny anywhere refuses; otherwise the
identity's own policies or the resource's policy must allow, and a permissions boundary and a session policy, where
there are any, must allow too.
"""

import functools
import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

Context = Mapping[str, str | Sequence[str]]
"""Condition keys in lower case and their values, for example {"s3:prefix": "raw/"}."""


class UnsupportedPolicy(Exception):
    """A policy uses an element that this evaluation does not know; the message names it."""


class Effect(IntEnum):
    """What a policy says of a request; of several statements the strongest holds."""

    NONE = 0
    DELEGATE = 1  # a resource's policy allows the account, which then decides by its own identity policies
    ALLOW = 2
    DENY = 3


@dataclass(frozen=True)
class Principal:
    """Who asks: a role's session (`arns`: session and role; `account`), an AWS service (`service`), or somebody whom an
    identity provider vouches for (`federated`: the provider's ARN).
    """

    arns: tuple[str, ...] = ()
    account: str | None = None
    service: str | None = None
    federated: str | None = None


@dataclass(frozen=True)
class Request:
    """What is asked: one action ("s3:GetObject") on one resource (its ARN, or "*" where the action has none)."""

    principal: Principal
    action: str
    resource: str
    context: Context


@dataclass(frozen=True)
class Policies:
    """The JSON texts of every policy that bears on a request; None where there is no such policy."""

    identity: Sequence[str] = ()
    boundary: str | None = None
    session: str | None = None
    resource: str | None = None
    resource_kind: str = "resource-based policy"
    resource_must_allow: bool = False  # so is a role's trust policy: without its consent nothing else counts
    same_account: bool = True  # as the principal's; across accounts both sides must allow


@dataclass(frozen=True)
class Decision:
    """`reason` continues AWS's sentence "User: … is not authorized to perform: …"; empty when allowed."""

    allowed: bool
    reason: str = ""


def decide(request: Request, policies: Policies) -> Decision:
    """Evaluate all policies together."""
    identity = max((evaluate(text, request) for text in policies.identity), default=Effect.NONE)
    boundary = Effect.ALLOW if policies.boundary is None else evaluate(policies.boundary, request)
    session = Effect.ALLOW if policies.session is None else evaluate(policies.session, request)
    resource = Effect.NONE if policies.resource is None else evaluate(policies.resource, request)

    layers = {
        "identity-based policy": identity,
        "permissions boundary": boundary,
        "session policy": session,
        policies.resource_kind: resource,
    }
    for kind, effect in layers.items():
        if effect is Effect.DENY:
            return Decision(False, f"with an explicit deny in {_article(kind)} {kind}")

    missing = _missing_grant(policies, identity, resource)
    if missing is None and boundary is not Effect.ALLOW:
        missing = "permissions boundary"
    if missing is None and session is not Effect.ALLOW:
        missing = "session policy"
    if missing is None:
        return Decision(True)
    return Decision(False, f"because no {missing} allows the {request.action} action")


def _missing_grant(policies: Policies, identity: Effect, resource: Effect) -> str | None:
    """The kind of policy whose consent is missing, or None when the grant is complete."""
    if resource is Effect.NONE and (policies.resource_must_allow or not policies.same_account):
        return policies.resource_kind
    if identity is Effect.ALLOW or (resource is Effect.ALLOW and policies.same_account):
        return None
    return "identity-based policy"


def _article(kind: str) -> str:
    return "an" if kind[0] in "aeiou" else "a"


def evaluate(text: str, request: Request) -> Effect:
    """What one policy says of a request."""
    effects = (_effect_of(statement, request) for statement in _parse(text) if _applies(statement, request))
    return max(effects, default=Effect.NONE)


@dataclass(frozen=True)
class Statement:
    """One statement of a policy, its elements as lists; an element that is absent is None."""

    effect: str
    action: list[str] | None
    not_action: list[str] | None
    resource: list[str] | None
    not_resource: list[str] | None
    principal: dict[str, list[str]] | None
    not_principal: dict[str, list[str]] | None
    condition: list["Condition"] = field(default_factory=list)


@dataclass(frozen=True)
class Condition:
    """One line of a Condition block, for example ForAnyValue:StringNotLikeIfExists {key: values}."""

    key: str
    values: list[str]
    test: Callable[[str, str], bool] | None  # None: the operator Null
    negated: bool
    if_exists: bool
    quantifier: str | None


@functools.lru_cache(maxsize=2048)
def _parse(text: str) -> tuple[Statement, ...]:
    """Cached by the text: the same few policies decide on every call."""
    statements = json.loads(text).get("Statement", [])
    return tuple(_parse_statement(each) for each in _as_list(statements))


def _parse_statement(statement: dict) -> Statement:
    def strings(name: str) -> list[str] | None:
        return _as_list(statement[name]) if name in statement else None

    def principals(name: str) -> dict[str, list[str]] | None:
        value = statement.get(name)
        if value == "*":
            return {"*": ["*"]}
        return None if value is None else {kind: _as_list(names) for kind, names in value.items()}

    return Statement(
        effect=statement["Effect"],
        action=strings("Action"),
        not_action=strings("NotAction"),
        resource=strings("Resource"),
        not_resource=strings("NotResource"),
        principal=principals("Principal"),
        not_principal=principals("NotPrincipal"),
        condition=[
            _parse_condition(operator, key, values)
            for operator, block in statement.get("Condition", {}).items()
            for key, values in block.items()
        ],
    )


def _parse_condition(operator: str, key: str, values: object) -> Condition:
    quantifier, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    base = name.replace("Not", "", 1)
    if name != "Null" and base not in _TESTS:
        known = ", ".join(["Null", *_TESTS])
        raise UnsupportedPolicy(f"condition operator {operator!r} is not evaluated here; known: {known} and their Not…")
    return Condition(
        key=key.lower(),
        values=[str(value).lower() if isinstance(value, bool) else str(value) for value in _as_list(values)],
        test=_TESTS.get(base),
        negated=base != name,
        if_exists=if_exists,
        quantifier=quantifier or None,
    )


def _as_list(value: object) -> list:
    return value if isinstance(value, list) else [value]


def _applies(statement: Statement, request: Request) -> bool:
    return (
        _action_matches(statement, request.action)
        and _resource_matches(statement, request)
        and all(_condition_holds(condition, request.context) for condition in statement.condition)
    )


def _action_matches(statement: Statement, action: str) -> bool:
    if statement.action is not None:
        return any(_glob(pattern.lower()).match(action.lower()) for pattern in statement.action)
    return not any(_glob(pattern.lower()).match(action.lower()) for pattern in statement.not_action or [])


def _resource_matches(statement: Statement, request: Request) -> bool:
    def named(patterns: list[str]) -> bool:
        return any(_like(request.resource, pattern, request.context) for pattern in patterns)

    if statement.resource is not None:
        return named(statement.resource)
    return statement.not_resource is None or not named(statement.not_resource)  # a trust policy names no resource


def _effect_of(statement: Statement, request: Request) -> Effect:
    """The effect of a statement that applies, seen from this principal."""
    if statement.not_principal is not None:
        concerned = Effect.NONE if _principal_matches(statement.not_principal, request.principal) else Effect.ALLOW
    elif statement.principal is not None:
        concerned = _principal_matches(statement.principal, request.principal)
    else:
        concerned = Effect.ALLOW  # an identity's policy concerns its identity
    if concerned is Effect.NONE:
        return Effect.NONE
    return Effect.DENY if statement.effect == "Deny" else concerned


def _principal_matches(element: dict[str, list[str]], principal: Principal) -> Effect:
    """ALLOW when the principal itself is named, DELEGATE when only its account is, else NONE."""
    if principal.service is not None:
        return Effect.ALLOW if principal.service in element.get("Service", []) else Effect.NONE
    if principal.federated is not None:
        return Effect.ALLOW if principal.federated in element.get("Federated", []) else Effect.NONE
    named = element.get("AWS", []) + element.get("*", [])
    if "*" in named or any(arn in named for arn in principal.arns):
        return Effect.ALLOW
    if principal.account in named or f"arn:aws:iam::{principal.account}:root" in named:
        return Effect.DELEGATE
    return Effect.NONE


def _condition_holds(condition: Condition, context: Context) -> bool:
    actual = context.get(condition.key)
    if condition.test is None:
        return (actual is None) == (condition.values == ["true"])
    if actual is None:
        absent_is_fine = condition.if_exists or condition.quantifier == "ForAllValues"
        return absent_is_fine or (condition.negated and condition.quantifier is None)

    expected = [value for value in (_substitute(value, context) for value in condition.values) if value is not None]

    def matches(value: str) -> bool:
        return any(condition.test(value, each) for each in expected) != condition.negated

    results = [matches(value) for value in _as_list(actual)]
    return all(results) if condition.quantifier == "ForAllValues" else any(results)


_VARIABLE = re.compile(r"\$\{([^},]+)(?:,\s*'([^']*)')?\}")

# An asterisk or question mark that is no wildcard, because it was written "${*}" or came out of a variable, travels as
# a character that no policy holds (Unicode keeps this range free for such uses).
_STAR, _QUESTION_MARK = "\ue000", "\ue001"
_HIDE_WILDCARDS = str.maketrans({"*": _STAR, "?": _QUESTION_MARK})
_SHOW_WILDCARDS = str.maketrans({_STAR: "*", _QUESTION_MARK: "?"})


def _substitute(pattern: str, context: Context) -> str | None:
    """Put the policy variables' values in; None when a variable has neither a value nor a default."""
    if "${" not in pattern:
        return pattern
    values = {variable[0]: _variable_value(variable, context) for variable in _VARIABLE.finditer(pattern)}
    if None in values.values():
        return None
    return _VARIABLE.sub(lambda variable: values[variable[0]].translate(_HIDE_WILDCARDS), pattern)


def _variable_value(variable: re.Match, context: Context) -> str | None:
    name, default = variable[1], variable[2]
    if name in ("*", "?", "$"):
        return name
    value = context.get(name.lower(), default)
    return value if isinstance(value, str) else None  # a key of many values cannot be a variable


@functools.lru_cache(maxsize=8192)
def _glob(pattern: str) -> re.Pattern:
    """A pattern in which `*` is any text and `?` any one character."""
    wildcards = {"*": ".*", "?": ".", _STAR: r"\*", _QUESTION_MARK: r"\?"}
    return re.compile("".join(wildcards.get(char, re.escape(char)) for char in pattern) + r"\Z", re.DOTALL)


def _like(value: str, pattern: str, context: Context) -> bool:
    substituted = _substitute(pattern, context)
    return substituted is not None and _glob(substituted).match(value) is not None


def _string_equals(value: str, expected: str) -> bool:
    return value == expected.translate(_SHOW_WILDCARDS)


def _string_like(value: str, pattern: str) -> bool:
    return _glob(pattern).match(value) is not None


def _arn_like(value: str, pattern: str) -> bool:
    """Each of an ARN's six parts is compared by itself: a wildcard does not reach over a colon."""
    values, patterns = value.split(":", 5), pattern.split(":", 5)
    return len(values) == len(patterns) and all(map(_string_like, values, patterns))


def _in_network(value: str, network: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(network, strict=False)


def _compare(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda value, limit: compare(float(value), float(limit))


_TESTS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _string_equals,
    "StringEqualsIgnoreCase": lambda value, expected: _string_equals(value.lower(), expected.lower()),
    "StringLike": _string_like,
    "ArnEquals": _arn_like,  # the same as ArnLike, wildcards included
    "ArnLike": _arn_like,
    "Bool": lambda value, expected: value.lower() == expected.lower(),
    "NumericEquals": _compare(float.__eq__),
    "NumericLessThan": _compare(float.__lt__),
    "NumericLessThanEquals": _compare(float.__le__),
    "NumericGreaterThan": _compare(float.__gt__),
    "NumericGreaterThanEquals": _compare(float.__ge__),
    "IpAddress": _in_network,
}
"""Condition operators; each also has its negation (StringNotEquals, NotIpAddress) and its IfExists form."""
