"""Makes the AWS SDK of a Python shell job call the emulator: the version that AWS ships ignores AWS_ENDPOINT_URL.

Python imports this module at its start, when its directory is on PYTHONPATH (see glue_job_runtime.py).
"""

import os

from botocore.session import Session

_create_client = Session.create_client


def _create_client_of_the_emulator(self, service_name, *arguments, **options):
    if options.get("endpoint_url") is None:  # boto3 passes None where the job says nothing
        options["endpoint_url"] = os.environ["AWS_ENDPOINT_URL"]
    return _create_client(self, service_name, *arguments, **options)


Session.create_client = _create_client_of_the_emulator
