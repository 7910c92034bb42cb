"""An AWS that runs on one machine: moto, extended in place so that RDS, Glue and Athena really execute.

Run it from the repository's root: `python -m emulator --port 4566 --data-dir DIR --toolchain FILE`.
"""

import os

# moto reads its switches from the environment while it is imported, and any module of this package may be the first
# to import it.
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"
