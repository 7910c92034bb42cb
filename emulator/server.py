"""The HTTP server: one process, a thread a connection, on the loopback interface only."""

import errno
import importlib
import logging
import socket
import threading

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from emulator import request_log, settings
from emulator.application import Application
from emulator.settings import SettingsError

# Modules that answer AWS operations: imported for their @operation functions, once the settings are known.
SERVICES = [
    "emulator.iam",
    "emulator.iam_providers",
    "emulator.ec2",
    "emulator.kms",
    "emulator.logs",
    "emulator.iam_boundaries",
    "emulator.s3",
    "emulator.s3_bodies",
    "emulator.s3_events",
    "emulator.event_rules",
    "emulator.s3_lifecycle",
    "emulator.s3_logging",
    "emulator.ssm",
    "emulator.rds",
    "emulator.rds_parameter_groups",
    "emulator.rds_subnet_groups",
    "emulator.lake_formation",
    "emulator.glue_catalog",
    "emulator.glue_classifiers",
    "emulator.glue_connections",
    "emulator.glue_definitions",
    "emulator.glue_security",
    "emulator.glue_jobs",
    "emulator.glue_crawlers",
    "emulator.glue_workflows",
    "emulator.glue_notify",
    "emulator.schedules",
    "emulator.sns",
    "emulator.event_topics",
    "emulator.budgets",
    "emulator.cloudwatch_metrics",
    "emulator.cloudwatch_alarms",
    "emulator.cloudwatch_dashboards",
    "emulator.cloudwatch_clock",
    "emulator.athena_definitions",
    "emulator.athena_prepared",
    "emulator.athena",
    "emulator.redshift_namespaces",
    "emulator.redshift_workgroups",
    "emulator.redshift_usage_limits",
    "emulator.redshift_tags",
    "emulator.redshift_data",
]

_log = logging.getLogger(__name__)


def listen(preferred_port: int) -> socket.socket:
    """A listening socket on loopback: on `preferred_port`, or on a free port when that is 0 or taken."""
    try:
        return socket.create_server(("127.0.0.1", preferred_port), backlog=128)
    except PermissionError:
        raise SettingsError(f"port {preferred_port} is not for ordinary users: choose one above 1023") from None
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    _log.warning("port %d is taken, choosing a free one", preferred_port)
    return socket.create_server(("127.0.0.1", 0), backlog=128)


class Server:
    """Answers AWS calls on a listening socket until it is closed."""

    def __init__(self, listener: socket.socket) -> None:
        for module in SERVICES:
            importlib.import_module(module)
        request_log.open_in(settings.current().data_dir)
        host, port = listener.getsockname()
        self._http: BaseWSGIServer = make_server(
            host, port, Application(), threaded=True, request_handler=_RequestHandler, fd=listener.fileno()
        )

    def start(self) -> None:
        """Serve from threads of its own."""
        threading.Thread(target=self._http.serve_forever, args=(0.1,), name="http", daemon=True).start()

    def close(self) -> None:
        """Stop accepting calls."""
        self._http.shutdown()
        self._http.server_close()


class _RequestHandler(MotoRequestHandler):
    # Head and body of an answer leave together. AWS's SDK for Go closes a connection when its own goroutine is late to
    # see the end of the request that it sent; it then still has what it received with the head, but not what comes
    # later, and sends again a call that was answered: a second creation, which is refused.
    wbufsize = 1 << 16

    def handle_expect_100(self) -> bool:
        """Say at once that the body may come: the client waits for that."""
        proceed = super().handle_expect_100()
        self.wfile.flush()
        return proceed

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: requests.jsonl is the log."""
