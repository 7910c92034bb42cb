"""OpenID Connect providers: the operations on their audiences, which moto lacks."""

from typing import Any

from moto.iam.models import OpenIDConnectProvider, iam_backends

from emulator.overlay import Context, operation


@operation("iam", "AddClientIDToOpenIDConnectProvider")
def add_client_id(ctx: Context, params: dict[str, Any]) -> None:
    """Accept tokens for one more audience; once is enough."""
    client_ids = _provider(ctx, params).client_id_list
    if params["ClientID"] not in client_ids:
        client_ids.append(params["ClientID"])


@operation("iam", "RemoveClientIDFromOpenIDConnectProvider")
def remove_client_id(ctx: Context, params: dict[str, Any]) -> None:
    """Accept tokens for an audience no more; nothing when they were not."""
    provider = _provider(ctx, params)
    provider.client_id_list = [each for each in provider.client_id_list if each != params["ClientID"]]


def _provider(ctx: Context, params: dict[str, Any]) -> OpenIDConnectProvider:
    return iam_backends[ctx.account]["aws"].get_open_id_connect_provider(params["OpenIDConnectProviderArn"])
