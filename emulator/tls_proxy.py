"""TLS in front of a Postgres that was built without it.

Usage: `python tls_proxy.py PORT SERVER_HOST SERVER_PORT CERTIFICATE_FILE required|optional`

Listens on 127.0.0.1:PORT (0: a free port), prints the port, and forwards to SERVER_HOST:SERVER_PORT. What arrives
unencrypted is refused as RDS does under rds.force_ssl=1, with SQLSTATE 28000; SIGUSR1 turns that on and SIGUSR2 off.
A process of its own, so that bulk loads and the emulator do not wait for each other; standard library only.
"""

import asyncio
import signal
import ssl
import struct
import sys

_SSL_REQUEST = 80877103
_GSS_ENCRYPTION_REQUEST = 80877104
_CANCEL_REQUEST = 80877102
_BUFFER_BYTES = 1 << 20


class TlsProxy:
    """Forwards connections to one Postgres server."""

    def __init__(self, server: tuple[str, int], context: ssl.SSLContext, tls_required: bool) -> None:
        self._server = server
        self._context = context
        self._tls_required = tls_required

    def require_tls(self, required: bool) -> None:
        """Whether connections made from now on must be encrypted."""
        self._tls_required = required

    async def serve(self, port: int) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", port, limit=_BUFFER_BYTES)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self.require_tls, True)
        loop.add_signal_handler(signal.SIGUSR2, self.require_tls, False)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._forward(reader, writer)
        except (OSError, asyncio.IncompleteReadError) as error:
            # One side has gone; there is nobody left to tell but the log.
            print(f"connection ended: {type(error).__name__}: {error}", file=sys.stderr)
        finally:
            writer.close()

    async def _forward(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        first_message, encrypted = await self._negotiate(client, to_client)
        if self._tls_required and not encrypted and _code(first_message) != _CANCEL_REQUEST:
            to_client.write(_refusal(first_message))
            await to_client.drain()
            return
        server, to_server = await asyncio.open_connection(*self._server, limit=_BUFFER_BYTES)
        to_server.write(first_message)
        await asyncio.gather(_copy(client, to_server), _copy(server, to_client))

    async def _negotiate(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> tuple[bytes, bool]:
        """Answer requests for encryption; return the first message meant for Postgres, and whether TLS is on."""
        encrypted = False
        while True:
            message = await _read_message(client)
            if _code(message) == _SSL_REQUEST and not encrypted:
                to_client.write(b"S")
                await to_client.drain()
                await to_client.start_tls(self._context)
                encrypted = True
            elif _code(message) == _GSS_ENCRYPTION_REQUEST:
                to_client.write(b"N")
                await to_client.drain()
            else:
                return message, encrypted


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    """Read a message of the connection's start: its length (4 bytes, included), then a code, then more."""
    header = await reader.readexactly(4)
    (length,) = struct.unpack("!I", header)
    if not 8 <= length <= 10_000:
        raise ConnectionError(f"a message of {length} bytes does not start a Postgres connection")
    return header + await reader.readexactly(length - 4)


def _code(message: bytes) -> int:
    return struct.unpack("!I", message[4:8])[0]


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.set_write_buffer_limits(high=_BUFFER_BYTES)
    try:
        while data := await reader.read(_BUFFER_BYTES):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


def _refusal(startup_message: bytes) -> bytes:
    fields = startup_message[8:].split(b"\0")
    parameters = dict(zip(fields[0::2], fields[1::2], strict=False))
    user = parameters.get(b"user", b"")
    text = b'no pg_hba.conf entry for host "127.0.0.1", user "%s", database "%s", no encryption' % (
        user,
        parameters.get(b"database", user),
    )
    body = b"SFATAL\0VFATAL\0C28000\0M" + text + b"\0\0"
    return b"E" + struct.pack("!I", len(body) + 4) + body


def main() -> None:
    port, server_host, server_port, certificate, tls = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    asyncio.run(TlsProxy((server_host, int(server_port)), context, tls == "required").serve(int(port)))


if __name__ == "__main__":
    main()
