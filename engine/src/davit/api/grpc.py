"""The least of gRPC with which a client learns that a service is not here.

Such clients do not read the body of an HTTP answer: what is to be shown to a user has to come as a
status of gRPC.

Source: RFC 9113, gRPC over HTTP/2 ("Trailers-Only").
"""

from __future__ import annotations

import asyncio
from urllib.parse import quote

_CHUNK = 64 << 10
_UNIMPLEMENTED = "12"


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: str) -> None:
    """Answer every call ``UNIMPLEMENTED`` and the message, until the client hangs up.

    message: ASCII. The connection is left, too, when what comes is not HTTP/2.
    """
    # Rarely used, and not small.
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.events import RequestReceived
    from h2.exceptions import ProtocolError

    http = H2Connection(H2Configuration(client_side=False))
    http.initiate_connection()
    fields = [
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-status", _UNIMPLEMENTED),
        ("grpc-message", quote(message, safe=" !\"#$&'()*+,-./:;<=>?@[]^_`{|}~")),
    ]
    try:
        while True:
            writer.write(http.data_to_send())
            await writer.drain()
            data = await reader.read(_CHUNK)
            if not data:
                return
            for event in http.receive_data(data):
                if isinstance(event, RequestReceived):
                    http.send_headers(event.stream_id, fields, end_stream=True)
    except (ProtocolError, ConnectionError):
        return
