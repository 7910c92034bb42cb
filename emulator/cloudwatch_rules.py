"""Rules of composite alarms: `ALARM("late") AND NOT (OK("x") OR INSUFFICIENT_DATA("y"))`. Pure functions."""

import re
from collections.abc import Callable
from dataclasses import dataclass

States = Callable[[str], str]
"""The state of an alarm, by its name or ARN."""
Rule = Callable[[States], bool]

_TOKEN = re.compile(r"""\s*(?:(?P<word>[\w.:/-]+)|(?P<sign>[()])|"(?P<quoted>[^"]+)"|'(?P<single>[^']+)')""")


class RuleError(ValueError):
    """The text is no rule; the message says where."""


@dataclass(frozen=True)
class AlarmRule:
    """A rule, and the alarms that it asks about (names or ARNs, as written)."""

    holds: Rule
    alarms: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "AlarmRule":
        """Read a rule; raises RuleError."""
        parser = _Parser(text)
        rule = parser.disjunction()
        parser.expect_end()
        return cls(rule, tuple(parser.alarms))


class _Parser:
    """Descends by what binds weakest: OR, AND, NOT."""

    def __init__(self, text: str) -> None:
        self.alarms: list[str] = []
        self._text = text
        self._tokens = self._split()
        self._next = 0

    def _split(self) -> list[tuple[str, str]]:
        tokens, position, end = [], 0, len(self._text.rstrip())
        while position < end:
            match = _TOKEN.match(self._text, position)
            if match is None:
                raise RuleError(f"not understood from {self._text[position:].strip()!r} on")
            kind = "name" if match.lastgroup in ("quoted", "single") else match.lastgroup
            tokens.append((kind, match[match.lastgroup]))
            position = match.end()
        return tokens

    def disjunction(self) -> Rule:
        parts = [self._conjunction()]
        while self._takes("word", "OR"):
            parts.append(self._conjunction())
        return lambda states: any(part(states) for part in parts)

    def _conjunction(self) -> Rule:
        parts = [self._term()]
        while self._takes("word", "AND"):
            parts.append(self._term())
        return lambda states: all(part(states) for part in parts)

    def _term(self) -> Rule:
        if self._takes("word", "NOT"):
            term = self._term()
            return lambda states: not term(states)
        if self._takes("sign", "("):
            rule = self.disjunction()
            self._expect("sign", ")")
            return rule
        kind, word = self._take()
        if kind == "word" and word in ("TRUE", "FALSE"):
            return lambda states: word == "TRUE"
        if kind == "word" and word in ("ALARM", "OK", "INSUFFICIENT_DATA"):
            self._expect("sign", "(")
            kind, name = self._take()
            if kind == "sign":
                raise RuleError(f"{word}({name} has no alarm's name")
            self._expect("sign", ")")
            self.alarms.append(name)
            return lambda states: states(name) == word
        raise RuleError(f"{word!r} is no alarm state, NOT, TRUE, FALSE or parenthesis")

    def expect_end(self) -> None:
        if self._next < len(self._tokens):
            raise RuleError(f"{self._tokens[self._next][1]!r} is too much")

    def _take(self) -> tuple[str, str]:
        if self._next == len(self._tokens):
            raise RuleError("it ends too early")
        self._next += 1
        return self._tokens[self._next - 1]

    def _takes(self, *token: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next] == token:
            self._next += 1
            return True
        return False

    def _expect(self, *token: str) -> None:
        if not self._takes(*token):
            found = self._tokens[self._next][1] if self._next < len(self._tokens) else "the end"
            raise RuleError(f"{token[1]!r} expected, not {found!r}")
