"""What the stream role measures. Names are a contract (see the metrics reference)."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

CONNECTIONS = Gauge(
    "streamspace_stream_connections",
    "Open stream connections: rfb (desktops), websocket (of web applications), status.",
    ["kind"],
)
BYTES = Counter(
    "streamspace_stream_bytes",
    "Bytes carried by streams: to_browser and to_session.",
    ["direction"],
)

to_browser = BYTES.labels("to_browser")
to_session = BYTES.labels("to_session")
for _kind in ("rfb", "websocket", "status"):
    CONNECTIONS.labels(_kind)  # there from the first scrape on
