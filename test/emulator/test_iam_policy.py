"""Policy evaluation as a table: a policy, a request, what comes out."""

import json

import pytest

from emulator.iam_policy import Decision, Policies, Principal, Request, UnsupportedPolicy, decide

SESSION = "arn:aws:sts::111111111111:assumed-role/analyst/ada"
ROLE = "arn:aws:iam::111111111111:role/analyst"
PRINCIPAL = Principal((SESSION, ROLE), "111111111111")
OBJECT = "arn:aws:s3:::lake/marts/shots.parquet"


def policy(effect="Allow", action="s3:GetObject", resource="arn:aws:s3:::lake/*", **elements):
    statement = {"Effect": effect, "Action": action, "Resource": resource, **elements}
    return json.dumps({"Statement": [{k: v for k, v in statement.items() if v is not None}]})


def request(action="s3:GetObject", resource=OBJECT, principal=PRINCIPAL, **context):
    return Request(principal, action, resource, {key.replace("__", ":"): value for key, value in context.items()})


def allowed(text, asked):
    return decide(asked, Policies(identity=[text])).allowed


@pytest.mark.parametrize(
    ("text", "asked", "expected"),
    [
        (policy(), request(), True),
        (policy(action="S3:getobject"), request(), True),
        (policy(action="s3:Get*"), request(), True),
        (policy(action="s3:Get?bject"), request(), True),
        (policy(action=["s3:PutObject", "s3:*"]), request(), True),
        (policy(action="s3:PutObject"), request(), False),
        (policy(action="s3:GetObj"), request(), False),
        (policy(resource="arn:aws:s3:::lake"), request(), False),
        (policy(resource="arn:aws:s3:::LAKE/*"), request(), False),
        (policy(resource=["arn:aws:s3:::other/*", "arn:aws:s3:::lake/marts/*"]), request(), True),
        (policy(resource="arn:aws:s3:::lake/marts.shots?parquet"), request(), False),
        (policy(action=None, NotAction="s3:Put*"), request(), True),
        (policy(action=None, NotAction="s3:Get*"), request(), False),
        (policy(resource=None, NotResource="arn:aws:s3:::lake/raw/*"), request(), True),
        (policy(resource=None, NotResource="arn:aws:s3:::lake/marts/*"), request(), False),
        (policy(effect="Deny"), request(), False),
    ],
)
def test_actions_and_resources(text, asked, expected):
    assert allowed(text, asked) is expected


@pytest.mark.parametrize(
    ("operator", "values", "context", "expected"),
    [
        ("StringEquals", "raw", {"a__k": "raw"}, True),
        ("StringEquals", ["x", "raw"], {"a__k": "raw"}, True),
        ("StringEquals", "Raw", {"a__k": "raw"}, False),
        ("StringEquals", "raw", {}, False),
        ("StringEqualsIfExists", "raw", {}, True),
        ("StringEqualsIfExists", "raw", {"a__k": "marts"}, False),
        ("StringEqualsIgnoreCase", "Raw", {"a__k": "raw"}, True),
        ("StringNotEquals", ["raw", "lake"], {"a__k": "marts"}, True),
        ("StringNotEquals", ["raw", "marts"], {"a__k": "marts"}, False),
        ("StringNotEquals", "raw", {}, True),
        ("StringLike", "raw/*", {"a__k": "raw/2026"}, True),
        ("StringNotLike", "raw/*", {"a__k": "raw/2026"}, False),
        ("ArnLike", "arn:aws:iam::*:role/ana*", {"a__k": ROLE}, True),
        ("ArnLike", "arn:aws:*:role/analyst", {"a__k": ROLE}, False),  # a wildcard ends at a colon
        ("ArnNotEquals", ROLE, {"a__k": ROLE}, False),
        ("Bool", "true", {"a__k": "true"}, True),
        ("Bool", False, {"a__k": "true"}, False),
        ("NumericLessThanEquals", "10", {"a__k": "9.5"}, True),
        ("NumericGreaterThan", 10, {"a__k": "10"}, False),
        ("NumericNotEquals", "10", {"a__k": "11"}, True),
        ("IpAddress", "127.0.0.0/8", {"a__k": "127.0.0.1"}, True),
        ("NotIpAddress", ["10.0.0.0/8", "127.0.0.1"], {"a__k": "127.0.0.1"}, False),
        ("Null", "true", {}, True),
        ("Null", "true", {"a__k": "x"}, False),
        ("Null", False, {"a__k": "x"}, True),
        ("ForAllValues:StringEquals", ["a", "b"], {"a__k": ["a", "b"]}, True),
        ("ForAllValues:StringEquals", ["a", "b"], {"a__k": ["a", "c"]}, False),
        ("ForAllValues:StringEquals", ["a", "b"], {}, True),
        ("ForAnyValue:StringEquals", ["a", "b"], {"a__k": ["c", "b"]}, True),
        ("ForAnyValue:StringEquals", ["a", "b"], {"a__k": ["c", "d"]}, False),
        ("ForAnyValue:StringEquals", ["a", "b"], {}, False),
        ("ForAnyValue:StringNotEquals", ["a", "b"], {"a__k": ["a", "c"]}, True),
    ],
)
def test_conditions(operator, values, context, expected):
    assert allowed(policy(Condition={operator: {"A:K": values}}), request(**context)) is expected


def test_every_condition_must_hold():
    text = policy(Condition={"StringEquals": {"a:x": "1", "a:y": "2"}, "Bool": {"a:z": "true"}})
    assert allowed(text, request(a__x="1", a__y="2", a__z="true"))
    assert not allowed(text, request(a__x="1", a__y="2", a__z="false"))
    assert not allowed(text, request(a__x="1", a__y="3", a__z="true"))


@pytest.mark.parametrize(
    ("resource", "asked", "expected"),
    [
        ("arn:aws:s3:::lake/${aws:username}/*", request(resource="arn:aws:s3:::lake/ada/x", aws__username="ada"), True),
        (
            "arn:aws:s3:::lake/${aws:username}/*",
            request(resource="arn:aws:s3:::lake/bob/x", aws__username="ada"),
            False,
        ),
        ("arn:aws:s3:::lake/${aws:username}/*", request(resource="arn:aws:s3:::lake/bob/x", aws__username="*"), False),
        ("arn:aws:s3:::lake/${aws:username}/*", request(resource="arn:aws:s3:::lake//x"), False),
        ("arn:aws:s3:::lake/${aws:username, 'all'}/*", request(resource="arn:aws:s3:::lake/all/x"), True),
        ("arn:aws:s3:::lake/${*}", request(resource="arn:aws:s3:::lake/*"), True),
        ("arn:aws:s3:::lake/${*}", request(resource="arn:aws:s3:::lake/x"), False),
    ],
)
def test_policy_variables(resource, asked, expected):
    assert allowed(policy(resource=resource), asked) is expected


def test_an_operator_that_is_not_known_is_never_passed_over():
    with pytest.raises(UnsupportedPolicy, match="'DateLessThan' is not evaluated here; known: Null, StringEquals"):
        allowed(policy(Condition={"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}), request())


ALLOW = policy()
DENY = policy(effect="Deny")
OTHER = policy(action="s3:PutObject")
NO_POLICY = "because no {} allows the s3:GetObject action"
EXPLICIT = "with an explicit deny in {}"


@pytest.mark.parametrize(
    ("policies", "reason"),
    [
        (Policies([ALLOW]), None),
        (Policies([]), NO_POLICY.format("identity-based policy")),
        (Policies([OTHER]), NO_POLICY.format("identity-based policy")),
        (Policies([ALLOW, DENY]), EXPLICIT.format("an identity-based policy")),
        (Policies([ALLOW], boundary=ALLOW), None),
        (Policies([ALLOW], boundary=OTHER), NO_POLICY.format("permissions boundary")),
        (Policies([ALLOW], boundary=DENY), EXPLICIT.format("a permissions boundary")),
        (Policies([], boundary=ALLOW), NO_POLICY.format("identity-based policy")),
        (Policies([ALLOW], session=OTHER), NO_POLICY.format("session policy")),
        (Policies([ALLOW], session=DENY), EXPLICIT.format("a session policy")),
        (Policies([ALLOW], resource=policy(effect="Deny", Principal="*")), EXPLICIT.format("a resource-based policy")),
    ],
)
def test_layers_of_policies(policies, reason):
    assert decide(request(), policies) == (Decision(True) if reason is None else Decision(False, reason))


@pytest.mark.parametrize(
    ("principal", "same_account", "other_account"),
    [
        ("*", True, True),
        ({"AWS": "*"}, True, True),
        ({"AWS": ROLE}, True, True),
        ({"AWS": [SESSION, "arn:aws:iam::222222222222:root"]}, True, True),
        ({"AWS": "arn:aws:iam::111111111111:root"}, False, True),  # the account is let in, its own policies decide
        ({"AWS": "111111111111"}, False, True),
        ({"AWS": "arn:aws:iam::111111111111:role/other"}, False, False),
        ({"Service": "glue.amazonaws.com"}, False, False),
    ],
)
def test_a_resource_policy_grants_by_its_principal(principal, same_account, other_account):
    """In the same account it suffices by itself; to another account's principal both sides must allow."""
    text = policy(Principal=principal)
    assert decide(request(), Policies([], resource=text)).allowed is same_account
    assert decide(request(), Policies([ALLOW], resource=text, same_account=False)).allowed is other_account
    assert not decide(request(), Policies([], resource=text, same_account=False)).allowed


def test_not_principal_spares_those_it_names():
    text = json.dumps(
        {"Statement": {"Effect": "Deny", "NotPrincipal": {"AWS": ROLE}, "Action": "s3:*", "Resource": "*"}}
    )
    other = Principal(("arn:aws:iam::111111111111:role/other",), "111111111111")
    assert decide(request(), Policies([ALLOW], resource=text)).allowed
    assert not decide(request(principal=other), Policies([ALLOW], resource=text)).allowed


def test_a_trust_policy_must_consent():
    def assume(trusted, identity):
        text = json.dumps({"Statement": {"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}})
        policies = Policies(identity, resource=text, resource_kind="role trust policy", resource_must_allow=True)
        return decide(request("sts:AssumeRole", ROLE), policies)

    may_assume = [policy(action="sts:AssumeRole", resource="*")]
    nobody = Decision(False, "because no role trust policy allows the sts:AssumeRole action")
    assert assume({"Service": "glue.amazonaws.com"}, may_assume) == nobody
    assert assume({"AWS": ROLE}, []).allowed
    assert assume({"AWS": "arn:aws:iam::111111111111:root"}, may_assume).allowed
    assert not assume({"AWS": "arn:aws:iam::111111111111:root"}, []).allowed
