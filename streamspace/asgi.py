"""The portal and the streams, told apart by the host that the browser asked for.

A session's origin never reaches Django's URLs, and the portal's never the stream's: that is
what keeps their cookies and rights apart.
"""

from __future__ import annotations

import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "streamspace.settings")
_django = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402 (models need Django set up)
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import WebsocketDenier  # noqa: E402
from django.urls import path, re_path  # noqa: E402

from sessions.consumers import SessionsConsumer  # noqa: E402
from sessions.stream.asgi import session_name_from_host, stream_application  # noqa: E402
from streamspace.bodies import BoundedBodies  # noqa: E402
from streamspace.origins import PortalOriginValidator  # noqa: E402

portal_application = ProtocolTypeRouter(
    {
        "http": BoundedBodies(_django),
        "websocket": PortalOriginValidator(
            AuthMiddlewareStack(
                URLRouter(
                    [
                        path("ws/sessions", SessionsConsumer.as_asgi()),
                        # Without it, what is asked for elsewhere would be a fault in the log.
                        re_path("", WebsocketDenier.as_asgi()),
                    ]
                )
            )
        ),
    }
)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Every role's ASGI entry."""
    host = next((v.decode("latin-1") for k, v in scope["headers"] if k == b"host"), "")
    if session_name_from_host(host) is not None:
        await stream_application(scope, receive, send)
    else:
        await portal_application(scope, receive, send)
