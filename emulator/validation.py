"""Checks requests against the API's own model, as AWS does before it looks at anything else: what is required, lengths,
ranges, patterns and enumerations. moto accepts whatever it is given.
"""

import functools
import re
from collections.abc import Iterator
from typing import Any

from moto.core.model import Shape, StructureShape

_LONGEST_QUOTE = 200  # characters of a value in a message

# Services whose models state their constraints, with the code of their refusal.
_CODES = {
    "athena": "InvalidRequestException",
    "budgets": "InvalidParameterException",
    "cloudwatch": "ValidationError",
    "events": "ValidationException",
    "glue": "ValidationException",
    "iam": "ValidationError",
    "kms": "ValidationException",
    "logs": "InvalidParameterException",
    "redshift-data": "ValidationException",
    "redshift-serverless": "ValidationException",
    "secretsmanager": "ValidationException",
    "ssm": "ValidationException",
    "sts": "ValidationError",
}


def refusal(service: str, shape: StructureShape | None, parameters: dict[str, Any]) -> tuple[str, str] | None:
    """Code and message of what is wrong with a request, None when nothing is."""
    if service not in _CODES or shape is None:
        return None
    violations = list(_violations(shape, parameters, ""))
    if not violations:
        return None
    count = "1 validation error" if len(violations) == 1 else f"{len(violations)} validation errors"
    return _CODES[service], f"{count} detected: {'; '.join(violations)}"


def _violations(shape: Shape, value: Any, path: str) -> Iterator[str]:
    for constraint in _unsatisfied(shape, value):
        yield f"Value {_quote(value)}at '{path}' failed to satisfy constraint: {constraint}"
    if shape.type_name == "structure":
        for name in shape.required_members:
            if name not in value:
                yield f"Value null at '{_join(path, name)}' failed to satisfy constraint: Member must not be null"
        for name, member in value.items():
            yield from _violations(shape.members[name], member, _join(path, name))
    elif shape.type_name == "list":
        for number, member in enumerate(value, start=1):
            yield from _violations(shape.member, member, f"{path}.{number}.member")
    elif shape.type_name == "map":
        for key, member in value.items():
            yield from _violations(shape.key, key, f"{path}.key")
            yield from _violations(shape.value, member, f"{path}.{key}")


def _unsatisfied(shape: Shape, value: Any) -> Iterator[str]:
    smallest, largest = shape.metadata.get("min"), shape.metadata.get("max")
    if shape.type_name in ("string", "blob", "list", "map"):
        if smallest is not None and len(value) < smallest:
            yield f"Member must have length greater than or equal to {smallest}"
        if largest is not None and len(value) > largest:
            yield f"Member must have length less than or equal to {largest}"
    elif shape.type_name in ("integer", "long", "float", "double"):
        if smallest is not None and value < smallest:
            yield f"Member must have value greater than or equal to {smallest}"
        if largest is not None and value > largest:
            yield f"Member must have value less than or equal to {largest}"
    if shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            yield f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
        pattern = shape.metadata.get("pattern")
        if pattern and (compiled := _compile(pattern)) and not compiled.fullmatch(value):
            yield f"Member must satisfy regular expression pattern: {pattern}"


@functools.cache
def _compile(pattern: str) -> re.Pattern | None:
    """Python's form of a pattern in Java's; None for those that use what Python's have not (`\\p{L}`)."""
    # Java writes characters beyond the basic plane as pairs of surrogates.
    pattern = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
    try:
        return re.compile(pattern, re.ASCII)
    except re.error:
        return None


def _join(path: str, name: str) -> str:
    member = name[0].lower() + name[1:]
    return f"{path}.{member}" if path else member


def _quote(value: Any) -> str:
    """A value as messages show it, with a space behind; nothing for what is too long to show."""
    text = str(value)
    return f"'{text}' " if len(text) <= _LONGEST_QUOTE else ""
