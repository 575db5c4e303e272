"""Many readers of the stream in a process of their own: what each heard, and how late. Run by `load.py`."""

import asyncio
import json
import re
import sys
import time
from array import array
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

PATIENCE = 20.0
EVENT = re.compile(rb"event: ([a-z]+)\nid: (\d+)\.(\d+)")
AT = re.compile(rb'"at":"([^"]+)"')


@dataclass
class Heard:
    """What one reader heard: how many updates, how many out of order or told again, and whatever else."""

    updates: int = 0
    wrong: int = 0
    others: int = 0
    last: tuple[int, int] = (0, 0)
    late: "array[float]" = field(default_factory=lambda: array("f"))

    def take(self, block: bytes, now: float) -> None:
        """Whole events: `event: funding`, its id, its data with the time of its commit. How late the oldest came."""
        for name, number, within in EVENT.findall(block):
            place = (int(number), int(within))
            self.wrong += place <= self.last
            self.last = place
            self.updates += name == b"funding"
            self.others += name != b"funding"
        if found := AT.search(block):
            self.late.append(now - datetime.fromisoformat(found[1].decode()).timestamp())


async def follow(url: str, updates: int, ready: asyncio.Barrier) -> Heard:
    """Read until so many updates were heard, or nothing comes any more."""
    parts, heard = urlsplit(url), Heard()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    if b" 200 " not in await reader.readuntil(b"\r\n\r\n"):
        raise RuntimeError("refused")
    await reader.readuntil(b"\n\n")
    await ready.wait()
    rest = b""
    try:
        while heard.updates < updates:
            async with asyncio.timeout(PATIENCE):
                block = await reader.read(65_536)
            if not block:
                break
            now = time.time()
            whole, _, rest = (rest + block).rpartition(b"\n\n")
            heard.take(whole, now)
    except TimeoutError:
        pass
    finally:
        writer.close()
    return heard


async def main(url: str, readers: int, updates: int) -> None:
    """Say `ready` once all follow, then what they heard."""
    ready = asyncio.Barrier(readers + 1)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(follow(url, updates, ready)) for _ in range(readers)]
        await ready.wait()
        print("ready", flush=True)  # noqa: T201
    heard = [task.result() for task in tasks]
    late = sorted(second for one in heard for second in one.late)
    told = {
        "updates": [one.updates for one in heard],
        "others": [one.others for one in heard],
        "wrong": sum(one.wrong for one in heard),
        "late_ms": {str(share): 1000 * late[int(share * (len(late) - 1))] for share in (0.5, 0.99, 1)},
    }
    print(json.dumps(told), flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
