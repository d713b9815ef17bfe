"""The status WebSocket, ``/ws/sessions``."""

from channels.generic.websocket import AsyncJsonWebsocketConsumer


class SessionsConsumer(AsyncJsonWebsocketConsumer):
    pass
