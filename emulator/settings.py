"""What this emulator was started with: where it listens, where it keeps files, which engines it may start."""

import json
from dataclasses import dataclass, fields
from pathlib import Path


class SettingsError(Exception):
    """The emulator cannot start with what it was given; the message says what to change."""


@dataclass(frozen=True)
class Toolchain:
    """Where the set-up (`node scripts/setup.mjs`) put the engines; every path is absolute."""

    glue_python: Path  # interpreter with what a Glue 5.1 Spark job ships
    python_shell_python: Path  # interpreter with what a Glue Python shell job ships
    java17: Path  # Java home for Spark
    java25: Path  # Java home for Trino
    spark_jars: Path  # directory of jars
    trino: Path  # Trino server with the Iceberg plugin

    @classmethod
    def load(cls, file: Path) -> "Toolchain":
        """Read the JSON object that the set-up writes; its keys are these fields in camelCase."""
        try:
            paths = json.loads(file.read_text())
        except FileNotFoundError:
            raise SettingsError(f"toolchain file {file} does not exist: run `node scripts/setup.mjs` first") from None
        except json.JSONDecodeError as error:
            raise SettingsError(f"toolchain file {file} is not JSON ({error}): run `node scripts/setup.mjs`") from None
        missing = [_camel_case(field.name) for field in fields(cls) if not paths.get(_camel_case(field.name))]
        if missing:
            raise SettingsError(f"toolchain file {file} lacks {', '.join(missing)}: run `node scripts/setup.mjs`")
        return cls(**{field.name: Path(paths[_camel_case(field.name)]) for field in fields(cls)})


@dataclass
class Settings:
    """One emulator's settings. `schedules_enabled` is the only one that changes while it runs."""

    port: int
    data_dir: Path
    toolchain: Toolchain
    schedules_enabled: bool = False
    minute_seconds: float = 60.0  # how long a minute of timeouts, schedules and alarms lasts; less for tests
    trusted: Path | None = None  # PEM of authorities that Glue takes for public ones, beside RDS's

    @property
    def endpoint(self) -> str:
        """The URL of every AWS service of this emulator; no trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def directory(self, name: str) -> Path:
        """A directory of that name for an engine's files; created when missing, gone at the next start."""
        path = self.data_dir / name
        path.mkdir(parents=True, exist_ok=True)
        return path


_current: Settings | None = None


def configure(settings: Settings) -> None:
    """Set what `current` returns; called once, before any service module is imported."""
    global _current
    _current = settings


def current() -> Settings:
    """The settings of this process."""
    if _current is None:
        raise RuntimeError("settings.configure() was not called: service modules are imported by the server only")
    return _current


def _camel_case(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)
