"""A DB instance: moto's description of it, and the Postgres server behind its endpoint."""

import json
import logging
import secrets
import shutil
import signal
import string
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import moto.rds.models
from moto.rds.models import RDSBackend
from pg8000.native import identifier, literal

from emulator import rds_parameter_groups, settings
from emulator.certificates import Authority
from emulator.postgres import PostgresServer
from emulator.processes import Process, spawn

CA_IDENTIFIER = "rds-ca-rsa2048-g1"
CA = Authority.create(settings.current().data_dir / "rds-ca.pem")

_SERVER_CERTIFICATE = settings.current().directory("rds") / "server.pem"
CA.issue_server_certificate(_SERVER_CERTIFICATE)

_TLS_PROXY = Path(__file__).with_name("tls_proxy.py")
_ROLES = Path(__file__).with_name("rds_roles.sql").read_text()

# Settings that moto forgets, by their name in requests and in descriptions, with what they are when not given.
_MORE_SETTINGS = {
    "database_insights_mode": ("database_insights_mode", "standard"),
    "enable_performance_insights": ("performance_insights_enabled", False),
    "engine_lifecycle_support": ("engine_lifecycle_support", "open-source-rds-extended-support"),
    "network_type": ("network_type", "IPV4"),
    "performance_insights_kms_key_id": ("performance_insights_kms_key_id", None),
    "performance_insights_retention_period": ("performance_insights_retention_period", None),
}

_log = logging.getLogger(__name__)


class DBInstance(moto.rds.models.DBInstance):
    """One instance. Its server is started, rebooted and shut down one at a time, in the background."""

    def __init__(self, backend: RDSBackend, db_instance_identifier: str, **options: Any) -> None:
        super().__init__(backend, db_instance_identifier, **options)
        for request_name, (name, default) in _MORE_SETTINGS.items():
            setattr(self, name, options.get(request_name, default))
        self.ca_certificate_identifier = options.get("ca_certificate_identifier", CA_IDENTIFIER)
        self.db_parameter_group_name = self.db_parameter_groups()[0].name
        self.dbi_resource_id = "db-" + _random(string.ascii_uppercase + string.digits, 26)
        self.port = options.get("port", 0)
        self.status = "creating"
        self.pending_modified_values: dict[str, Any] = {}

        self._major_version = int(self.engine_version.split(".")[0])
        self._directory = settings.current().directory("rds") / self.dbi_resource_id
        self._name = f"rds-{self.account_id}-{self.region}-{self.db_instance_identifier}"
        self._server = PostgresServer(self._name, self._directory, self._major_version)
        self._proxy: Process | None = None
        self._group_in_force = self.db_parameter_group_name
        self._parameters_in_force: dict[str, str] = {}
        self._one_at_a_time = threading.Lock()

    @property
    def address(self) -> str:
        return "127.0.0.1"

    @property
    def endpoint(self) -> dict[str, Any] | None:
        return {"Address": self.address, "Port": self.port} if self._proxy is not None else None

    @property
    def certificate_details(self) -> dict[str, Any]:
        return {"CAIdentifier": self.ca_certificate_identifier, "ValidTill": CA.certificate.not_valid_after_utc}

    @property
    def db_parameter_group_status_list(self) -> list[dict[str, str]]:
        in_sync = self._group_in_force == self.db_parameter_group_name and self._parameters_in_force == self._wanted()
        return [
            {
                "DBParameterGroupName": self.db_parameter_group_name,
                "ParameterApplyStatus": "in-sync" if in_sync else "pending-reboot",
            }
        ]

    def usage(self) -> tuple[int, float]:
        """Of the server: bytes on disk, seconds of CPU time (see PostgresServer.usage)."""
        return self._server.usage()

    def launch(self) -> None:
        """Start the server; the instance is `creating` until it accepts connections, then `available`."""
        self._in_background("creating", self._launch)

    def reboot(self) -> None:
        """Restart the server with all parameters of its group."""
        self._in_background("rebooting", self._reboot)

    def shut_down(self) -> None:
        """Stop the server and delete its data."""
        with self._one_at_a_time:
            if self._proxy is not None:
                self._proxy.stop()
            self._server.stop()
            if self._directory.exists():  # it does not when the instance failed early
                shutil.rmtree(self._directory)

    def follow_parameter_group(self, changed: set[str]) -> None:
        """Put parameters in force that were changed in the group and take effect without a reboot."""
        with self._one_at_a_time:
            if self._proxy is None or self._group_in_force != self.db_parameter_group_name:
                return  # it never came up, or the group itself comes into force with the next reboot
            wanted = self._wanted()
            for name in changed:
                if name in wanted:
                    self._parameters_in_force[name] = wanted[name]
                else:
                    self._parameters_in_force.pop(name, None)
            self._server.configure(rds_parameter_groups.server_settings(self._parameters_in_force))
            tls_required = rds_parameter_groups.tls_required(self._parameters_in_force)
            self._proxy.send_signal(signal.SIGUSR1 if tls_required else signal.SIGUSR2)

    def update(self, **changes: Any) -> None:
        """Apply a ModifyDBInstance."""
        if self.manage_master_user_password and changes.get("manage_master_user_password"):
            del changes["manage_master_user_password"]  # moto would make a second secret
        super().update(**changes)
        for request_name, (name, _) in _MORE_SETTINGS.items():
            if changes.get(request_name) is not None:
                setattr(self, name, changes[request_name])
        if "manage_master_user_password" in changes or "master_user_password" in changes:
            with self._one_at_a_time:
                self._set_master_password()
        if changes.get("db_port_number", self.port) != self.port:
            with self._one_at_a_time:
                self._proxy.stop()
                self._start_proxy(changes["db_port_number"])

    def _in_background(self, status: str, work: Callable[[], None]) -> None:
        self.status = status
        threading.Thread(target=self._work, args=(work,), name=self._name, daemon=True).start()

    def _work(self, work: Callable[[], None]) -> None:
        with self._one_at_a_time:
            try:
                work()
            except Exception:  # noqa: BLE001
                # Whatever it was: nobody waits for this thread, so the instance's status has to tell.
                _log.exception("%s of account %s failed", self.arn, self.account_id)
                self.status = "failed"
            else:
                self.status = "available"

    def _launch(self) -> None:
        self._server.initialize()
        self._put_parameters_in_force()
        self._server.start()
        master = identifier(self.master_username)
        for database in ("template1", "postgres"):
            self._server.execute(_ROLES, database)
        self._server.execute(f"create role {master} login createdb createrole")
        self._server.execute(f"grant rds_superuser to {master} with admin option")
        self._server.execute(f"alter database postgres owner to {master}")
        self._set_master_password()
        if self.db_name:
            self._server.execute(f"create database {identifier(self.db_name)} owner {master}")
        self._start_proxy(self.port)

    def _reboot(self) -> None:
        self._put_parameters_in_force()
        self._server.restart()

    def _put_parameters_in_force(self) -> None:
        self._group_in_force = self.db_parameter_group_name
        self._parameters_in_force = self._wanted()
        self._server.configure(rds_parameter_groups.server_settings(self._parameters_in_force))

    def _wanted(self) -> dict[str, str]:
        return rds_parameter_groups.values(self.db_parameter_groups()[0])

    def _set_master_password(self) -> None:
        if self.manage_master_user_password:
            secret = self.master_user_secret.secret
            password = json.loads(secret.versions[secret.default_version_id]["secret_string"])["password"]
        else:
            password = self._master_user_password
        self._server.execute(f"alter role {identifier(self.master_username)} password {literal(password)}")

    def _start_proxy(self, port: int) -> None:
        tls = "required" if rds_parameter_groups.tls_required(self._parameters_in_force) else "optional"
        self._proxy = start_proxy(f"{self._name}-tls", port, ("127.0.0.1", self._server.port), tls)
        self.port = int(self._proxy.stdout.readline())


def start_proxy(name: str, port: int, server: tuple[str, int], tls: str) -> Process:
    """TLS by this emulator's authority in front of a server; its first line of output is the port."""
    host, server_port = server
    command = [sys.executable, "-I", "-S", _TLS_PROXY, str(port), host, str(server_port), _SERVER_CERTIFICATE, tls]
    return spawn(command, name=name, stdout=subprocess.PIPE)


class MasterUserSecret(moto.rds.models.MasterUserSecret):
    """The master password that RDS keeps in Secrets Manager; unlike moto's, every instance has its own."""

    def _generate_secret_string(self) -> str:
        password = _random(string.ascii_letters + string.digits + "!#$%&*()-_=+[]{}<>:?", 28)
        return json.dumps({"username": self.resource.master_username, "password": password})


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


moto.rds.models.DBInstance = DBInstance
moto.rds.models.MasterUserSecret = MasterUserSecret
