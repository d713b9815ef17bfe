"""The caller: who they are, what they may have and what they have.

It stands with sessions and not with accounts, because what somebody has are sessions.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from sessions.selectors import use_of
from streamspace.accounts.api.serializers import ProfileSerializer
from streamspace.accounts.quotas import limits_of
from streamspace.api.schema import documented
from streamspace.api.views import person


class LimitsSerializer(serializers.Serializer[Any]):
    """Upper limits; null is unlimited. CPU in millicores, memory and storage in MiB."""

    sessions = serializers.IntegerField(allow_null=True)
    running = serializers.IntegerField(allow_null=True)
    cpu_millicores = serializers.IntegerField(allow_null=True)
    memory_mib = serializers.IntegerField(allow_null=True)
    storage_mib = serializers.IntegerField(allow_null=True)


class UseSerializer(serializers.Serializer[Any]):
    """What counts against the limits, in the same units."""

    sessions = serializers.IntegerField()
    running = serializers.IntegerField()
    cpu_millicores = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    storage_mib = serializers.IntegerField()


class MeSerializer(ProfileSerializer):
    """The caller's profile with limits and use."""

    limits = LimitsSerializer()
    use = UseSerializer()


class MeView(APIView):
    """The caller."""

    @documented(
        operation_id="get_me",
        tags=["account"],
        summary="Who am I, what may I have, what do I have",
        responses=MeSerializer,
    )
    def get(self, request: Request) -> Response:
        user = person(request)
        body = {
            **ProfileSerializer(user).data,
            "limits": asdict(limits_of(user)),
            "use": asdict(use_of(user)),
        }
        return Response(body)
