"""sts:AssumeRoleWithWebIdentity: a role for whoever an identity provider vouches for, as GitHub does for its workflows.

The only call that needs no signature: the token speaks for the caller. Whether the provider signed it cannot be known
here (its keys are on the Internet), so it is believed; everything else that AWS checks is checked: that the account
has the provider, the audience, the dates, and the role's trust policy.
"""

import base64
import binascii
import json
import re
import time
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from moto.iam.models import OpenIDConnectProvider, iam_backends
from moto.sts.models import sts_backends

from emulator import request_log
from emulator.iam_identities import find_role
from emulator.iam_policy import Effect, Principal, Request, evaluate
from emulator.overlay import AwsError

_ACTION = "sts:AssumeRoleWithWebIdentity"
_DEFAULT_SECONDS = 3600


def asked(environ: dict[str, Any]) -> dict[str, str] | None:
    """The parameters of the call; None when a request is another one, its body unread as far as others can tell."""
    if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return None
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    return form if form.get("Action") == _ACTION.removeprefix("sts:") else None


def answer(form: dict[str, str], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Assume the role, or raise the refusal."""
    role_arn, session_name = form["RoleArn"], form["RoleSessionName"]
    request_log.annotate(action=_ACTION, resource=role_arn, decision="deny")
    claims = _claims(form["WebIdentityToken"])
    match = re.fullmatch(r"arn:aws:iam::(\d{12}):role/.+", role_arn)
    if match is None:
        raise AwsError("ValidationError", f"{role_arn} is invalid")
    provider = _provider(match[1], claims)
    request_log.annotate(principal=f"{provider.arn} {claims['sub']}")
    role = find_role(role_arn)
    request = Request(Principal(federated=provider.arn), _ACTION, role_arn, _context(claims))
    if role is None or evaluate(role.assume_role_policy_document, request) is not Effect.ALLOW:
        raise AwsError("AccessDenied", f"Not authorized to perform {_ACTION}", 403)
    seconds = int(form.get("DurationSeconds", _DEFAULT_SECONDS))
    if seconds > int(role.max_session_duration or _DEFAULT_SECONDS):
        message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise AwsError("ValidationError", message)
    session = sts_backends[match[1]]["aws"].assume_role(
        region_name="aws-global",
        role_session_name=session_name,
        role_arn=role.arn,
        policy=form.get("Policy"),
        duration=seconds,
        external_id=None,
    )
    request_log.annotate(decision="allow")
    body = _RESULT.format(
        provider=escape(provider.arn),
        audience=escape(str(claims["aud"])),
        subject=escape(claims["sub"]),
        arn=escape(session.arn),
        user_id=escape(session.user_id),
        access_key=session.access_key_id,
        secret_key=session.secret_access_key,
        token=session.session_token,
        expiration=session.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
    ).encode()
    start_response("200 OK", [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))])
    return [body]


def _claims(token: str) -> dict[str, Any]:
    """What a JSON Web Token says: issuer, subject, audience, and from when until when, in seconds since 1970."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        issuer, subject, audience, expires = (claims[name] for name in ("iss", "sub", "aud", "exp"))
    except (IndexError, KeyError, ValueError, binascii.Error):
        raise AwsError("InvalidIdentityToken", "The ID Token provided is not a valid JWT.") from None
    if expires <= time.time():
        raise AwsError("ExpiredTokenException", f"Token expired: current date/time must be before {expires}")
    return {"iss": issuer, "sub": subject, "aud": audience}


def _provider(account: str, claims: dict[str, Any]) -> OpenIDConnectProvider:
    issuer = claims["iss"]
    providers = iam_backends[account]["aws"].open_id_providers.copy().values()
    found = next((each for each in providers if f"https://{each.url}" == issuer), None)
    if found is None:
        raise AwsError("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {issuer}")
    if claims["aud"] not in found.client_id_list:
        raise AwsError("InvalidIdentityToken", "Incorrect token audience")
    return found


def _context(claims: dict[str, Any]) -> dict[str, str]:
    """The condition keys that carry the provider's name."""
    issuer = claims["iss"].removeprefix("https://")
    return {f"{issuer}:{name}".lower(): claims[name] for name in ("sub", "aud")}


_RESULT = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult>
<SubjectFromWebIdentityToken>{subject}</SubjectFromWebIdentityToken>
<Audience>{audience}</Audience>
<Provider>{provider}</Provider>
<AssumedRoleUser><Arn>{arn}</Arn><AssumedRoleId>{user_id}</AssumedRoleId></AssumedRoleUser>
<Credentials>
<AccessKeyId>{access_key}</AccessKeyId>
<SecretAccessKey>{secret_key}</SecretAccessKey>
<SessionToken>{token}</SessionToken>
<Expiration>{expiration}</Expiration>
</Credentials>
</AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""
