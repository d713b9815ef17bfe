"""A sign-out ends the streams that were entered from that sign-in, at once."""

from __future__ import annotations

from typing import Any

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest
from redis.exceptions import RedisError

from .tickets import sign_in_group

log = structlog.get_logger(__name__)


@receiver(user_logged_out)
def close_streams(sender: Any, request: HttpRequest | None, **kwargs: Any) -> None:
    """Tell every stream process. Where that fails, the next check of each stream finds out."""
    key = request.session.session_key if request is not None else None
    layer = get_channel_layer()
    if not key or layer is None:
        return
    try:
        async_to_sync(layer.group_send)(sign_in_group(key), {"type": "stream.signed_out"})
    except (OSError, RedisError) as error:
        log.warning("sign_out_not_announced", error=str(error))
