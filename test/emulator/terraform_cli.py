"""Terraform over terraform/*.tf: one of every resource that the platform uses."""

import os
import shutil
import subprocess
from pathlib import Path

_CONFIGURATION = Path(__file__).with_name("terraform")
_UNCHANGED = 0  # exit code of `terraform plan -detailed-exitcode`


class Terraform:
    """Terraform in a working directory of its own, with an administrator's key of one account."""

    def __init__(self, directory: Path, endpoint: str, account: str, cli_configuration: str | None) -> None:
        shutil.copytree(_CONFIGURATION, directory, dirs_exist_ok=True)
        self._directory = directory
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))},
            "AWS_ACCESS_KEY_ID": f"AKIAADMN{account}",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_ENDPOINT_URL": endpoint,
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": cli_configuration or os.devnull,
        }

    def live(self) -> str:
        """Apply, change, destroy; plan after each apply, which must find nothing to do. Returns the last output."""
        self._run("init")
        for revision in ("-var=revision=1", "-var=revision=2"):
            self._run("apply", "-auto-approve", "-parallelism=20", revision)
            self._run("plan", "-detailed-exitcode", "-parallelism=20", revision, expected=_UNCHANGED)
        return self._run("destroy", "-auto-approve", "-parallelism=20", "-var=revision=2")

    def _run(self, *arguments: str, expected: int = 0) -> str:
        result = subprocess.run(
            ["terraform", *arguments, "-no-color", "-input=false"],
            cwd=self._directory,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != expected:
            command = " ".join(arguments)
            raise AssertionError(f"terraform {command}: exit code {result.returncode}\n{result.stdout}{result.stderr}")
        return result.stdout
