"""The query executions that the emulator knows, by account and id."""


def workgroup_of(account: str, execution_id: str) -> str | None:
    """The workgroup that an execution ran in, None when there is no such execution."""
    return None  # none are started yet
