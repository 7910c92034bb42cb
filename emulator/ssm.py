"""Parameter Store's limit on a value, which moto does not have; a bundle of certificates is soon above it."""

from typing import Any

from emulator.overlay import FALL_THROUGH, AwsError, Context, operation

_LARGEST_VALUES = {"Standard": 4096, "Advanced": 8192, "Intelligent-Tiering": 8192}  # bytes, by tier


@operation("ssm", "PutParameter")
def put_parameter(ctx: Context, params: dict[str, Any]) -> Any:
    """Refuse a value that is too large for its tier; moto does the rest."""
    tier = params.get("Tier", "Standard")
    largest = _LARGEST_VALUES[tier]
    if len(params["Value"].encode()) > largest:
        hint = " To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier."
        raise AwsError(
            "ValidationException",
            f"{tier} tier parameters support a maximum parameter value of {largest} characters."
            + (hint if tier == "Standard" else ""),
        )
    return FALL_THROUGH
