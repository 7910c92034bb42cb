"""How a Glue job is run on this machine: the command, its environment, and nothing else of the emulator's.

A Spark job (glueetl) runs on the Python, the Spark and the Java that its Glue version ships, a Python shell job on
the interpreter for those. Both see what they declare: `--extra-py-files`, and Spark jobs `--additional-python-modules`
and `--datalake-formats`.
"""

import ast
import os
import re
import shlex
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emulator import settings
from emulator.accounts import Credentials
from emulator.glue_job_artifacts import Artifacts, LaunchError, unpack_wheels

_PYTHON_SHELL_VERSION = (3, 9)

# Of the emulator's Spark "cluster", as are master and memory below; the job's own --conf come after them.
_SPARK_SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    # Most jobs here end before the optimizing compiler pays: without it a job of 15 s takes 12.5 s.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
_SPARK_MASTER = "local[2]"
_SPARK_MEMORY = "2g"
_DATALAKE_JARS = {"iceberg": "iceberg-*.jar"}

# Arguments that Glue acts on and the emulator does not: a job with one would not do here what it does on AWS.
_NOT_EMULATED = {"--extra-files", "--extra-jars", "--scriptLocation"}

# The boto3 of a Python shell job does not know AWS_ENDPOINT_URL: the module sitecustomize there teaches it.
_PYTHON_SHELL_SITE = Path(__file__).with_name("python_shell_site")


@dataclass(frozen=True)
class JobProgram:
    """What to run: its definition's command and arguments, with what the run overrides."""

    command: Mapping[str, str]  # Glue's JobCommand
    arguments: Mapping[str, str]  # "--key": value, of all three sources
    job_name: str
    run_id: str
    region: str


@dataclass(frozen=True)
class Launch:
    """A command with its whole environment."""

    argv: list[str | Path]
    environment: dict[str, str]


def prepare(program: JobProgram, credentials: Credentials, directory: Path) -> Launch:
    """Fetch what the job needs into its directory and say how to start it; raises LaunchError."""
    if unknown := _NOT_EMULATED & set(program.arguments):
        raise LaunchError(f"the emulator has no {', '.join(sorted(unknown))}")
    artifacts = Artifacts(credentials.client("s3", program.region), directory / "artifacts")
    script = artifacts.fetch(program.command["ScriptLocation"])
    libraries = artifacts.fetch_all(program.arguments.get("--extra-py-files", ""))
    build = _python_shell if program.command["Name"] == "pythonshell" else _spark
    python, paths, environment = build(program, artifacts, script, libraries)

    temporary = directory / "tmp"
    temporary.mkdir()
    return Launch(
        argv=[python, script, *_command_line(program)],
        environment={
            **credentials.as_environment(),
            "AWS_REGION": program.region,
            "AWS_DEFAULT_REGION": program.region,
            "AWS_ENDPOINT_URL": settings.current().endpoint,
            "HOME": str(directory),
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(temporary),
            **environment,
        },
    )


def _command_line(program: JobProgram) -> list[str]:
    """The script's arguments; one without a value is a switch."""
    names = {**program.arguments, "--JOB_NAME": program.job_name, "--JOB_RUN_ID": program.run_id}
    return [word for name, value in names.items() for word in (name, value) if word]


Runtime = tuple[Path, list[Path], dict[str, str]]
"""An interpreter, what is added to its module search path, further environment variables."""


def _python_shell(_program: JobProgram, _artifacts: Artifacts, script: Path, libraries: list[Path]) -> Runtime:
    for file in (script, *libraries):
        _check_syntax(file)
    return settings.current().toolchain.python_shell_python, [_PYTHON_SHELL_SITE, *_import_paths(libraries)], {}


def _spark(program: JobProgram, artifacts: Artifacts, _script: Path, libraries: list[Path]) -> Runtime:
    toolchain = settings.current().toolchain
    archives = artifacts.fetch_all(program.arguments.get("--additional-python-modules", ""))
    modules = [unpack_wheels(archive) for archive in archives]
    environment = {
        "JAVA_HOME": str(toolchain.java17),
        "PYSPARK_PYTHON": str(toolchain.glue_python),
        "PYSPARK_SUBMIT_ARGS": _submit_arguments(program),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    return toolchain.glue_python, [*_import_paths(libraries), *modules], environment


def _submit_arguments(program: JobProgram) -> str:
    """The arguments with which pyspark starts its JVM when the script creates its session."""
    jars = [
        str(jar)
        for name in filter(None, program.arguments.get("--datalake-formats", "").split(","))
        for jar in _datalake_jars(name.strip())
    ]
    words = ["--master", _SPARK_MASTER, "--driver-memory", _SPARK_MEMORY]
    if jars:
        # On the class path, where --jars would first copy them into the run's directory.
        words += ["--driver-class-path", os.pathsep.join(jars)]
    for setting in [*map("=".join, _SPARK_SETTINGS.items()), *_spark_settings(program.arguments.get("--conf", ""))]:
        words += ["--conf", setting]
    return shlex.join([*words, "pyspark-shell"])


def _datalake_jars(name: str) -> list[Path]:
    if name not in _DATALAKE_JARS:
        raise LaunchError(f"--datalake-formats {name}: the emulator has {', '.join(_DATALAKE_JARS)} only")
    return sorted(settings.current().toolchain.spark_jars.glob(_DATALAKE_JARS[name]))


def _spark_settings(conf: str) -> list[str]:
    """The settings in the value of a job's `--conf`, which chains all after the first with " --conf "."""
    settings_given = [setting.strip() for setting in re.split(r"\s--conf\s", conf) if setting.strip()]
    for setting in settings_given:
        if "=" not in setting:
            raise LaunchError(f"--conf {setting}: a Spark setting is name=value")
    return settings_given


def _import_paths(libraries: list[Path]) -> list[Path]:
    """Archives are imported from as they are, modules from the directory that they are in."""
    return list(dict.fromkeys(file.parent if file.suffix == ".py" else file for file in libraries))


def _check_syntax(file: Path) -> None:
    """Refuse what Python 3.9 cannot parse: a Python shell job runs on that on AWS."""
    if file.suffix == ".py":
        _parse(file.name, file.read_bytes())
        return
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if name.endswith(".py"):
                _parse(f"{file.name}/{name}", archive.read(name))


def _parse(name: str, source: bytes) -> None:
    try:
        ast.parse(source, name, feature_version=_PYTHON_SHELL_VERSION)
    except SyntaxError as error:
        version = ".".join(map(str, _PYTHON_SHELL_VERSION))
        raise LaunchError(f"SyntaxError: {error.msg} ({name}, line {error.lineno}; Python {version})") from error
