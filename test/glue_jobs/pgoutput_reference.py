"""A plain parser of pgoutput, field after field by the protocol's description: what the fast one is compared with."""

import struct

POSTGRES_EPOCH = 946_684_800_000_000
"""2000-01-01 in microseconds of Unix time."""


def reference(messages: list[bytes]) -> dict[str, list]:
    """What the stream says, by the protocol's description, one field after the other."""
    relations: dict[int, tuple[str, list[str]]] = {}
    said = {"rows": [], "truncates": [], "messages": [], "commits": []}
    transaction, ordinal = (), 0
    for message in messages:
        kind, body = chr(message[0]), message[1:]
        if kind == "B":
            lsn, time, xid = struct.unpack(">qqI", body)
            transaction, ordinal = (lsn, time + POSTGRES_EPOCH, xid), 0
        elif kind == "C":
            said["commits"].append((transaction[0], struct.unpack(">Bqqq", body)[2], *transaction[1:]))
        elif kind == "R":
            oid, (schema, table, rest) = struct.unpack(">I", body[:4])[0], body[4:].split(b"\0", 2)
            count, rest, names = struct.unpack(">H", rest[1:3])[0], rest[3:], []
            for _ in range(count):
                name, _, after = rest[1:].partition(b"\0")
                names.append(name.decode())
                rest = after[8:]
            relations[oid] = f"{schema.decode()}.{table.decode()}", names
        elif kind in "IUD":
            table, names = relations[struct.unpack(">I", body[:4])[0]]
            images, rest = {}, body[4:]
            while rest:
                images[chr(rest[0])], rest = reference_tuple(rest[1:], names)
            said["rows"].append((*transaction, ordinal, table, kind, images))
            ordinal += 1
        elif kind == "T":
            count = struct.unpack(">I", body[:4])[0]
            oids = struct.unpack(f">{count}I", body[5:])
            said["truncates"].append((*transaction, ordinal, [relations[oid][0] for oid in oids]))
            ordinal += 1
        elif kind == "M" and body[0]:
            prefix, rest = body[9:].split(b"\0", 1)
            said["messages"].append((prefix.decode(), rest[4:], transaction[0]))
            ordinal += 1
    return said


def reference_tuple(data: bytes, names: list[str]) -> tuple[dict[str, str | None], bytes]:
    """A tuple's columns, without the unchanged ones, and what follows it."""
    assert struct.unpack(">H", data[:2])[0] == len(names)
    data, values = data[2:], {}
    for name in names:
        kind, data = chr(data[0]), data[1:]
        if kind == "t":
            length = struct.unpack(">I", data[:4])[0]
            values[name], data = data[4 : 4 + length].decode(), data[4 + length :]
        elif kind == "n":
            values[name] = None
    return values, data
