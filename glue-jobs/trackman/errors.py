"""What somebody must be told about. A message says which object, what was expected and what to do."""


class JobError(Exception):
    """The job cannot go on."""


class ContractError(JobError):
    """A source's contract is not of the form that the jobs read."""


class SourceError(JobError):
    """The source is not as its mode needs it."""


class LostChangesError(SourceError):
    """The source no longer has, or never had, the history that the lake's bookmark stands in."""


class RivalRunError(JobError):
    """Somebody else moved what this run was about to move. Nothing was changed by this run's attempt."""


class TableError(JobError):
    """One table cannot go on; the others can."""
