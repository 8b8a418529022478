"""A server of OpenAI's completions whose every delay is known, and which writes down when it did what.

python -m tests.delays --port-file port --ttft 0.05 --tpot 0.01 --stall 1.0 --stall-after 20 --fault drop

`GET /records` is what it wrote down, in seconds of the machine's monotonic clock, which all its processes share.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

import uvloop

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
FAULTS = ("none", "400", "503", "drop", "silent", "error", "no-end", "garbage", "die")


class Server:
    """Answers with as many tokens as it is asked for, each at its time."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.records: list[dict[str, float]] = []
        self.stalled_until = 0.0

    async def serve(self) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        partial = self.options.port_file.with_suffix(".partial")
        partial.write_text(str(server.sockets[0].getsockname()[1]))
        partial.rename(self.options.port_file)
        await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                received = time.perf_counter()
                if head.startswith(b"GET"):
                    writer.write(_plain(200, json.dumps(self.records).encode()))
                    continue
                path = head.split()[1]
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                body = json.loads(await reader.readexactly(int(lengths[0].partition(b":")[2])))
                if path != b"/v1/completions":
                    writer.write(_plain(404, b"{}"))
                    continue
                await self._answer(body, writer, received)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, body: dict[str, Any], writer: asyncio.StreamWriter, received: float) -> None:
        fault = self.options.fault
        if fault in ("400", "503"):
            writer.write(_plain(int(fault), b'{"error": {"message": "as asked"}}'))
            return
        if fault == "silent":
            await asyncio.sleep(3600)
        if fault == "garbage":
            writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
            return
        await self._stall(received)
        await self._stream(body["max_tokens"], writer, received)

    async def _stall(self, received: float) -> None:
        """Once, at the request of that number, nobody is answered for a while."""
        if self.options.stall and len(self.records) == self.options.stall_after and not self.stalled_until:
            self.stalled_until = received + self.options.stall
        await asyncio.sleep(max(0.0, self.stalled_until - received))

    async def _stream(self, num: int, writer: asyncio.StreamWriter, received: float) -> None:
        options = self.options
        if options.tpot == 0 and options.fault == "none":
            # All in one piece, as fast as a server can.
            await asyncio.sleep(options.ttft) if options.ttft else None
            written = time.perf_counter()
            writer.write(OK + _chunk(b"".join([_token()] * num) + _usage(num)) + b"0\r\n\r\n")
            self._record(writer, received, written, written)
            return
        writer.write(OK)
        first = last = 0.0
        for number in range(num):
            await asyncio.sleep(max(0.0, received + options.ttft + number * options.tpot - time.perf_counter()))
            if number == num // 2 and self._broke(writer):
                return
            last = time.perf_counter()
            first = first or last
            writer.write(_chunk(_token()))
        self._record(writer, received, first, last)
        writer.write((_chunk(_usage(num)) if options.fault != "no-end" else b"") + b"0\r\n\r\n")

    def _broke(self, writer: asyncio.StreamWriter) -> bool:
        """Do in the middle of an answer what was asked for."""
        if self.options.fault == "die":
            raise SystemExit(1)
        if self.options.fault == "drop":
            writer.transport.abort()
        if self.options.fault == "error":
            writer.write(_chunk(_event({"error": {"message": "as asked"}}) + b"data: [DONE]\n\n") + b"0\r\n\r\n")
        return self.options.fault in ("drop", "error")

    def _record(self, writer: asyncio.StreamWriter, received: float, first: float, last: float) -> None:
        times = {"received": received, "first_token": first, "last_token": last}
        self.records.append(times | {"port": writer.get_extra_info("peername")[1]})


def _plain(status: int, content: bytes) -> bytes:
    return (
        b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % (
            status,
            len(content),
        )
        + content
    )


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def _event(content: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\n\n"


def _token() -> bytes:
    return _event({"object": "text_completion", "choices": [{"index": 0, "text": " a", "finish_reason": None}]})


def _usage(num: int) -> bytes:
    usage = {"prompt_tokens": 1, "completion_tokens": num, "total_tokens": num + 1}
    return _event({"object": "text_completion", "choices": [], "usage": usage}) + b"data: [DONE]\n\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--ttft", type=float, default=0.0, help="seconds from a request to its first token")
    parser.add_argument("--tpot", type=float, default=0.0, help="seconds between two tokens")
    parser.add_argument("--stall", type=float, default=0.0, help="seconds that the server stands still, once")
    parser.add_argument("--stall-after", type=int, default=0, help="answers before it does")
    parser.add_argument("--fault", choices=FAULTS, default="none")
    uvloop.run(Server(parser.parse_args()).serve())


if __name__ == "__main__":
    main()
