"""What just became known, as server-sent events: read from the outbox once, shared by all readers of a process."""

from app.services.live.frames import TOPICS as TOPICS
from app.services.live.frames import Place as Place
from app.services.live.hub import Hub as Hub
from app.services.live.hub import running as running
from app.services.live.reader import Reader as Reader
