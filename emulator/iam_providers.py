"""Whom an identity provider's tokens may be for: moto lets nobody change the audiences."""

from typing import Any

from moto.iam.models import OpenIDConnectProvider, iam_backends

from emulator.overlay import AwsError, Context, operation


@operation("iam", "AddClientIDToOpenIDConnectProvider")
def add_client_id(ctx: Context, params: dict[str, Any]) -> None:
    """Adding what is there is no error."""
    provider = _provider(ctx, params)
    if params["ClientID"] not in provider.client_id_list:
        provider.client_id_list.append(params["ClientID"])


@operation("iam", "RemoveClientIDFromOpenIDConnectProvider")
def remove_client_id(ctx: Context, params: dict[str, Any]) -> None:
    """Removing what is not there is no error."""
    provider = _provider(ctx, params)
    if params["ClientID"] in provider.client_id_list:
        provider.client_id_list.remove(params["ClientID"])


def _provider(ctx: Context, params: dict[str, Any]) -> OpenIDConnectProvider:
    arn = params["OpenIDConnectProviderArn"]
    provider = iam_backends[ctx.account]["aws"].open_id_providers.get(arn)
    if provider is None:
        raise AwsError("NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}", 404)
    return provider
