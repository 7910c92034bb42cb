"""What a crawler finds below an S3 path: its objects, grouped by folder into tables and their partitions.

A folder is a table when its files are alike, and so is one whose folders are: then they are its partitions. Alike are
files of one format and compression that have 70 % of their columns in common. Of unlike folders each is a table, of
unlike files each.
"""

import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from emulator import glue_crawl_parquet
from emulator.glue_classifiers import Classifier
from emulator.glue_crawl_files import HEAD_BYTES, UNKNOWN, Columns, FileContent, classify
from emulator.glue_crawl_found import CrawlError, FoundPartition, FoundTable, statistics
from emulator.glue_crawl_source import ClientFactory

_IN_COMMON = 0.7
_GLOB = {"**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True)
class _Part:
    """A table, or what may become a partition of one."""

    path: str  # key prefix with a closing slash, or the key of a single file
    content: FileContent
    objects: int
    size: int  # bytes
    keys: tuple[str | None, ...] = ()  # partition keys, None for one that the paths do not name
    leaves: tuple[tuple[tuple[str, ...], "_Part"], ...] = ()  # partitions by their values


def read_tables(
    target: Mapping[str, Any], classifiers: Sequence[Classifier], client: ClientFactory
) -> list[FoundTable]:
    """The tables that an S3 target of a crawler has, by their paths; an empty folder has none. Raises CrawlError."""
    place = urlsplit(target["Path"])
    if place.scheme != "s3" or not place.netloc:
        raise CrawlError(f"{target['Path']} is not an S3 path (s3://bucket/folder)")
    bucket, prefix = place.netloc, place.path.strip("/")
    prefix = f"{prefix}/" if prefix else ""
    s3 = client("s3")
    sizes = _list(s3, bucket, prefix, target.get("Exclusions", []))
    contents = _contents(s3, bucket, _sample(sizes, target.get("SampleSize")), sizes, classifiers)
    parts = _parts(prefix, {key: _Part(key, contents[key], 1, sizes[key]) for key in contents})
    return [_table(bucket, part) for part in sorted(parts, key=lambda part: part.path)]


# --- What is there


def _list(s3: Any, bucket: str, prefix: str, exclusions: Sequence[str]) -> dict[str, int]:
    """Sizes of the objects below a prefix, by key; empty ones hold nothing that could be told."""
    excluded = [_pattern(exclusion) for exclusion in exclusions]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {
        entry["Key"]: entry["Size"]
        for page in pages
        for entry in page.get("Contents", [])
        if entry["Size"] and not any(each.fullmatch(entry["Key"].removeprefix(prefix)) for each in excluded)
    }


def _pattern(glob: str) -> re.Pattern[str]:
    words = re.split("(" + "|".join(map(re.escape, _GLOB)) + ")", glob)
    return re.compile("".join(_GLOB.get(word, re.escape(word)) for word in words))


def _sample(keys: Iterable[str], per_folder: int | None) -> list[str]:
    """The first keys of each folder, as many as are to be looked at."""
    by_folder: dict[str, list[str]] = defaultdict(list)
    for key in sorted(keys):
        by_folder[key.rpartition("/")[0]].append(key)
    return [key for folder in by_folder.values() for key in folder[:per_folder]]


def _contents(
    s3: Any, bucket: str, keys: Sequence[str], sizes: Mapping[str, int], classifiers: Sequence[Classifier]
) -> dict[str, FileContent]:
    contents: dict[str, FileContent] = {}
    with tempfile.TemporaryDirectory() as directory:
        parquet: dict[str, Path] = {}
        for key in keys:
            head = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{HEAD_BYTES - 1}")["Body"].read()
            content = classify(head, sizes[key], classifiers)
            if content is None:
                parquet[key] = Path(directory, str(len(parquet)))
                s3.download_file(bucket, key, str(parquet[key]))
            else:
                contents[key] = content
        contents.update(zip(parquet, glue_crawl_parquet.read(list(parquet.values())), strict=True))
    return contents


# --- Which of it belongs together


def _parts(path: str, files: Mapping[str, _Part]) -> list[_Part]:
    """The tables of a folder, given the files below it by key."""
    direct = [part for key, part in files.items() if "/" not in key.removeprefix(path)]
    folders: dict[str, dict[str, _Part]] = defaultdict(dict)
    for key, part in files.items():
        name, slash, _ = key.removeprefix(path).partition("/")
        if slash:
            folders[f"{path}{name}/"][key] = part
    below = {folder: _parts(folder, inside) for folder, inside in folders.items()}
    if direct:
        return [*_of_files(path, direct), *(part for parts in below.values() for part in parts)]
    return _of_folders(path, below)


def _of_files(path: str, files: Sequence[_Part]) -> list[_Part]:
    # What could not be read does not make a folder's other files a table each.
    recognized = [file for file in files if file.content.classification != UNKNOWN.classification] or files
    content = _common([file.content for file in recognized])
    if content is None:
        return list(recognized)
    return [_Part(path, content, len(files), sum(file.size for file in files))]


def _of_folders(path: str, below: Mapping[str, Sequence[_Part]]) -> list[_Part]:
    parts = [part for inside in below.values() for part in inside]
    is_one_each = all(len(inside) == 1 and inside[0].path == folder for folder, inside in below.items())
    if not parts or not is_one_each or len({part.keys for part in parts}) > 1:
        return parts
    content = _common([part.content for part in parts])
    if content is None:
        return parts
    names = [part.path.removeprefix(path).rstrip("/") for part in parts]
    key, values = _key(names)
    leaves = tuple(
        ((value, *rest), leaf)
        for value, part in zip(values, parts, strict=True)
        for rest, leaf in part.leaves or (((), part),)
    )
    objects, size = sum(part.objects for part in parts), sum(part.size for part in parts)
    return [_Part(path, content, objects, size, (key, *parts[0].keys), leaves)]


def _key(names: Sequence[str]) -> tuple[str | None, list[str]]:
    """The partition key that folders name (`day=2026-11-23`), if they do, and its values."""
    pairs = [name.partition("=") for name in names]
    keys = {key for key, equals, _ in pairs if equals}
    if len(keys) == 1 and all(equals for _, equals, _ in pairs):
        return keys.pop().lower(), [value for _, _, value in pairs]
    return None, list(names)


def _common(contents: Sequence[FileContent]) -> FileContent | None:
    """The content of files that are alike, None when they are not."""
    first = contents[0]
    if any(each.classification != first.classification or each.compression != first.compression for each in contents):
        return None
    columns = first.columns
    for each in contents[1:]:
        names, others = dict(columns), dict(each.columns)
        if names.keys() | others.keys() and len(names.keys() & others.keys()) < _IN_COMMON * len({**names, **others}):
            return None
        columns = _united(columns, each.columns)
    return replace(first, columns=columns, records=sum(each.records for each in contents))


def _united(one: Columns, other: Columns) -> Columns:
    types = dict(one)
    for name, type_ in other:
        types[name] = _wider(types.get(name, type_), type_)
    return tuple(types.items())


def _wider(one: str, other: str) -> str:
    if one == other:
        return one
    numbers = ["int", "bigint", "double"]
    return max(one, other, key=numbers.index) if one in numbers and other in numbers else "string"


# --- As tables


def _table(bucket: str, part: _Part) -> FoundTable:
    content = part.content
    keys = [key or f"partition_{level}" for level, key in enumerate(part.keys)]
    return FoundTable(
        name=Path(part.path).name or bucket,
        location=f"s3://{bucket}/{part.path}",
        connection=None,
        columns=[{"Name": name, "Type": type_} for name, type_ in content.columns if name not in keys],
        parameters={
            "classification": content.classification,
            "compressionType": content.compression,
            "typeOfData": "file",
            **content.parameters,
            **statistics(part.objects, content.records, part.size),
        },
        partition_keys=[{"Name": key, "Type": "string"} for key in keys],
        partitions=[
            FoundPartition(
                values, f"s3://{bucket}/{leaf.path}", statistics(leaf.objects, leaf.content.records, leaf.size)
            )
            for values, leaf in part.leaves
        ],
        storage={**content.storage, "Compressed": content.compression != "none"},
    )
