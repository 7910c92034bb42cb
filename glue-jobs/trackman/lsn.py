"""Positions in a Postgres write-ahead log, as numbers; their order is the log's."""


def parse_lsn(text: str) -> int:
    """The number of a position as Postgres writes it, such as 16/B374D848."""
    high, low = text.split("/")
    return (int(high, 16) << 32) | int(low, 16)


def format_lsn(lsn: int) -> str:
    """A position as Postgres writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
