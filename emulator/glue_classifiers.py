"""Glue's custom classifiers, by which crawlers recognize files (how they do: glue_crawl_files.py)."""

from collections import defaultdict
from typing import Any

from moto.core.utils import utcnow

from emulator.overlay import AwsError, Context, not_emulated, operation

_KINDS = ("CsvClassifier", "JsonClassifier", "GrokClassifier", "XMLClassifier")
_EMULATED_KINDS = ("CsvClassifier", "JsonClassifier")

Classifier = dict[str, dict[str, Any]]
"""As GetClassifier has it: the kind, and the definition of that kind."""

_classifiers: defaultdict[tuple[str, str], dict[str, Classifier]] = defaultdict(dict)


def find(account: str, region: str, name: str) -> Classifier:
    """A classifier by its name. Raises AwsError when there is none."""
    classifier = _classifiers[account, region].get(name)
    if classifier is None:
        raise AwsError("EntityNotFoundException", f"Classifier {name} not found")
    return classifier


@operation("glue", "CreateClassifier")
def create_classifier(ctx: Context, params: dict[str, Any]) -> None:
    """Create a classifier of one kind."""
    kind, definition = _given(ctx, params)
    classifiers = _classifiers[ctx.account, ctx.region]
    if definition["Name"] in classifiers:
        raise AwsError("AlreadyExistsException", f"Classifier {definition['Name']} already exists")
    created = utcnow()
    classifiers[definition["Name"]] = {
        kind: {**definition, "CreationTime": created, "LastUpdated": created, "Version": 1}
    }


@operation("glue", "UpdateClassifier")
def update_classifier(ctx: Context, params: dict[str, Any]) -> None:
    """Change what is given of a classifier; its kind stays."""
    kind, definition = _given(ctx, params)
    classifier = find(ctx.account, ctx.region, definition["Name"])
    if kind not in classifier:
        raise AwsError("InvalidInputException", f"Classifier {definition['Name']} is no {kind}")
    classifier[kind].update(definition, LastUpdated=utcnow(), Version=classifier[kind]["Version"] + 1)


@operation("glue", "GetClassifier")
def get_classifier(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """One classifier."""
    return {"Classifier": find(ctx.account, ctx.region, params["Name"])}


@operation("glue", "GetClassifiers")
def get_classifiers(ctx: Context, _params: dict[str, Any]) -> dict[str, Any]:
    """All classifiers."""
    return {"Classifiers": list(_classifiers[ctx.account, ctx.region].values())}


@operation("glue", "DeleteClassifier")
def delete_classifier(ctx: Context, params: dict[str, Any]) -> None:
    """Delete a classifier."""
    find(ctx.account, ctx.region, params["Name"])
    del _classifiers[ctx.account, ctx.region][params["Name"]]


def _given(ctx: Context, params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The kind of classifier that a request is about, and its definition."""
    kinds = [kind for kind in _KINDS if params.get(kind)]
    if len(kinds) != 1:
        raise AwsError("InvalidInputException", f"Exactly one of {', '.join(_KINDS)} must be given, not {len(kinds)}")
    if kinds[0] not in _EMULATED_KINDS:
        raise not_emulated("glue", ctx.action, f"{kinds[0]}, only {' and '.join(_EMULATED_KINDS)}")
    return kinds[0], params[kinds[0]]
