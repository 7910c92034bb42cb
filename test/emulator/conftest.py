"""One real emulator process for all tests, and boto3 clients for it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from terraform_cli import Terraform

REPOSITORY = Path(__file__).parents[2]
ACCOUNT = "111111111111"
REGION = "eu-central-1"

_TERRAFORM_TEST = "test_terraform.py"
_TERRAFORM_ACCOUNT = "999999999999"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--toolchain", type=Path, default=REPOSITORY / ".local" / "toolchain.json")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Terraform's test comes last: it looks at what has gone on in the background since the first."""
    items.sort(key=lambda item: item.path.name == _TERRAFORM_TEST)


@dataclass
class Emulator:
    """A running emulator. It ends with the test process at the latest: its stdin is a lifeline."""

    process: subprocess.Popen
    endpoint: str
    data_dir: Path
    ca_file: Path

    @classmethod
    def start(cls, data_dir: Path, toolchain: Path, *options: str) -> "Emulator":
        command = [sys.executable, "-m", "emulator", "--port", "0", "--data-dir", data_dir, "--toolchain", toolchain]
        process = subprocess.Popen(
            [*command, "--lifeline", *options],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the emulator ended with exit code {process.wait()}, see its messages above")
        ready = json.loads(line)
        return cls(process, ready["endpoint"], data_dir, Path(ready["caFile"]))

    def client(self, service: str, account: str = ACCOUNT, region: str = REGION, **options: Any) -> BaseClient:
        """A boto3 client with an administrator's key of the account."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=f"AKIAADMN{account}",
            aws_secret_access_key="any",
            **options,
        )

    def requests(self) -> list[dict[str, Any]]:
        """The request log so far."""
        return [json.loads(line) for line in (self.data_dir / "requests.jsonl").read_text().splitlines()]

    def stop(self) -> int:
        """Stop it as Ctrl-C does and return its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=30)


@pytest.fixture(scope="session")
def toolchain(request: pytest.FixtureRequest) -> Path:
    return request.config.getoption("--toolchain")


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory, toolchain: Path) -> Iterator[Emulator]:
    emulator = Emulator.start(tmp_path_factory.mktemp("emulator"), toolchain)
    yield emulator
    assert emulator.stop() == 0


@pytest.fixture(scope="session")
def client(emulator: Emulator) -> Callable[..., BaseClient]:
    """`client(service, account=…, region=…)`: a boto3 client of an administrator."""
    return emulator.client


@pytest.fixture(scope="session", autouse=True)
def terraform_life(
    request: pytest.FixtureRequest, toolchain: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Future[str] | None]:
    """Terraform's run beside all other tests, in an account of its own: minutes, nearly all of them the provider's
    own waits (a DB instance: 80 seconds). None when its test was not selected.
    """
    if not any(item.path.name == _TERRAFORM_TEST for item in request.session.items):
        yield None
        return
    emulator: Emulator = request.getfixturevalue("emulator")
    cli_configuration = json.loads(toolchain.read_text()).get("terraformCliConfig")
    directory = tmp_path_factory.mktemp("terraform")
    terraform = Terraform(directory, emulator.endpoint, _TERRAFORM_ACCOUNT, cli_configuration)
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(terraform.live)
