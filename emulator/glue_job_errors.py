"""Why a Python program failed, read from what it wrote to stderr: the text that Glue shows as a run's ErrorMessage."""

import re

_EXCEPTION = re.compile(r"(?:[\w]+\.)*(\w+(?:: .*)?)")


class LastException:
    """Sees the lines of stderr one after the other and keeps the last exception that a traceback ended with."""

    def __init__(self) -> None:
        self.message: str | None = None  # "ValueError: text", without the exception's module
        self._in_traceback = False
        self._may_continue = False

    def see(self, line: str) -> None:
        """Take the next line."""
        continues, self._may_continue = self._may_continue, False
        if line.startswith('  File "'):
            self._in_traceback = True
        elif self._in_traceback and line and not line.startswith(" "):
            self._in_traceback = False
            match = _EXCEPTION.fullmatch(line)
            self.message = match[1] if match else line
            # Py4J puts the Java exception, which is the reason, on the next line.
            self._may_continue = line.startswith("py4j.protocol.Py4JJavaError")
        elif continues and line.startswith(": "):
            self.message = f"{self.message} {line.removeprefix(': ')}"
