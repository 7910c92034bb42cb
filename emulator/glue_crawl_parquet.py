"""What Parquet files hold, read by the Python that Glue's jobs run on: it has pyarrow, the emulator's own has not."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from emulator import settings
from emulator.glue_crawl_files import UNKNOWN, FileContent, parquet

_PROGRAM = Path(__file__).with_name("glue_python") / "read_parquet.py"


def read(files: Sequence[Path]) -> list[FileContent]:
    """The content of local files, in their order; UNKNOWN for one that is no Parquet after all."""
    if not files:
        return []
    command = [settings.current().toolchain.glue_python, _PROGRAM, *files]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [_content(json.loads(line)) for line in lines]


def _content(found: dict | None) -> FileContent:
    if found is None:
        return UNKNOWN
    return parquet(tuple(map(tuple, found["columns"])), found["rows"], found["compression"])
