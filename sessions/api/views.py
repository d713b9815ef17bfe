"""Sessions for programs. Views translate; :mod:`sessions.services` decides."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response

from sessions import services
from sessions.models import Session, SessionEvent, SessionShare
from sessions.services import Choices
from streamspace.accounts.models import User
from streamspace.api.pagination import LatePages
from streamspace.api.schema import documented
from streamspace.api.views import ApiViewSet
from streamspace.errors import NotFound, Refused

from .filters import EventFilter, EventsOfSessionFilter, SessionFilter, asks_for_everyone
from .reads import events_for, sessions_for
from .requests import (
    EventSerializer,
    LaunchSerializer,
    RenameSerializer,
    ShareRequestSerializer,
    ShareSerializer,
)
from .serializers import SessionSerializer

_LAUNCH_EXAMPLE = OpenApiExample(
    "A larger browser",
    {
        "template": "firefox",
        "display_name": "Research",
        "resources": {"cpu": "1", "memory": "2Gi"},
        "idle_timeout": "1h",
    },
    request_only=True,
)
_ASKED = "The wish is written; poll until `observed_generation` equals `generation`."


class SessionViewSet(ApiViewSet[Session]):
    """The caller's sessions and those shared with them. Staff reach all of them by name."""

    queryset = Session.objects.none()  # tells the schema the model
    serializer_class = SessionSerializer
    filterset_class = SessionFilter
    pagination_class = LatePages
    lookup_field = "name"
    not_found_code = "session_not_found"
    not_found_message = "There is no such session."

    def get_queryset(self) -> QuerySet[Session]:
        everyone = self.detail or asks_for_everyone(self.request.query_params)
        return sessions_for(self.person, everyone=everyone).order_by("-created_at", "pk")

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "viewer": self.request.user}

    @documented(operation_id="list_sessions", tags=["sessions"], summary="List sessions")
    def list(self, request: Request) -> Response:
        if asks_for_everyone(request.query_params) and not self.person.is_staff:
            raise Refused("Only staff may list everybody's sessions.")
        sessions = self.filter_queryset(self.get_queryset())
        page = self.paginate_queryset(sessions)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @documented(
        operation_id="launch_session",
        tags=["sessions"],
        summary="Launch a template",
        request=LaunchSerializer,
        responses={201: OpenApiResponse(SessionSerializer, "Launched; `Location` names it.")},
        examples=[_LAUNCH_EXAMPLE],
        errors=["quota_exceeded", "template_not_found", "user_not_found", "template_unavailable"],
    )
    def create(self, request: Request) -> Response:
        asked = LaunchSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        choices = asked.validated_data
        resources = choices.get("resources", {})
        session = services.launch(
            self._owner(choices.get("owner")),
            choices["template"],
            Choices(
                display_name=choices.get("display_name", ""),
                cpu_millicores=resources.get("cpu_millicores"),
                memory_mib=resources.get("memory_mib"),
                persistent_home=choices["persistent_home"],
                idle_timeout=choices.get("idle_timeout"),
            ),
            actor=self.person,
        )
        return Response(
            self._shown(session),
            status=status.HTTP_201_CREATED,
            headers={"Location": reverse("api:session", kwargs={"name": session.name})},
        )

    @documented(
        operation_id="get_session",
        tags=["sessions"],
        summary="Look at a session",
        errors=["session_not_found"],
    )
    def retrieve(self, request: Request, name: str) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    @documented(
        operation_id="rename_session",
        tags=["sessions"],
        summary="Change the name that people read",
        request=RenameSerializer,
        responses=SessionSerializer,
        errors=["session_not_found", "terminated"],
    )
    def partial_update(self, request: Request, name: str) -> Response:
        session = self.get_object()
        asked = RenameSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(
            self._shown(
                services.rename(session.id, asked.validated_data["display_name"], actor=self.person)
            )
        )

    @documented(
        operation_id="delete_session",
        tags=["sessions"],
        summary="Terminate a session",
        description="The same as `terminate`: its compute goes, its owner's home stays. Works in "
        "every state; what is over stays over.",
        responses={202: OpenApiResponse(SessionSerializer, _ASKED)},
        errors=["session_not_found"],
    )
    def destroy(self, request: Request, name: str) -> Response:
        return self._asked(services.terminate(self.get_object().id, actor=self.person))

    @documented(
        operation_id="terminate_session",
        tags=["sessions"],
        summary="Terminate a session",
        request=None,
        responses={202: OpenApiResponse(SessionSerializer, _ASKED)},
        errors=["session_not_found"],
    )
    def terminate(self, request: Request, name: str) -> Response:
        return self._asked(services.terminate(self.get_object().id, actor=self.person))

    @documented(
        operation_id="hibernate_session",
        tags=["sessions"],
        summary="Release the compute, keep the home",
        request=None,
        responses={202: OpenApiResponse(SessionSerializer, _ASKED)},
        errors=["session_not_found", "terminated"],
    )
    def hibernate(self, request: Request, name: str) -> Response:
        return self._asked(services.hibernate(self.get_object().id, actor=self.person))

    @documented(
        operation_id="wake_session",
        tags=["sessions"],
        summary="Run again what hibernates, or retry what failed",
        request=None,
        responses={202: OpenApiResponse(SessionSerializer, _ASKED)},
        errors=["session_not_found", "terminated", "quota_exceeded"],
    )
    def wake(self, request: Request, name: str) -> Response:
        return self._asked(services.wake(self.get_object().id, actor=self.person))

    @documented(
        operation_id="extend_session",
        tags=["sessions"],
        summary="Set the idle clock back, as input does",
        request=None,
        responses=SessionSerializer,
        errors=["session_not_found", "not_running"],
    )
    def extend(self, request: Request, name: str) -> Response:
        return Response(self._shown(services.extend(self.get_object().id, actor=self.person)))

    def _asked(self, session: Session) -> Response:
        return Response(self._shown(session), status=status.HTTP_202_ACCEPTED)

    def _shown(self, session: Session) -> Any:
        """The session as a fresh read shows it; services return bare rows."""
        row = sessions_for(self.person, everyone=True).filter(pk=session.pk).first()
        return self.get_serializer(row or session).data

    def _owner(self, username: str | None) -> User:
        """Whom to launch for. Only staff may name somebody else: the owner decides whose home is
        mounted."""
        person = self.person
        if username is None or username == person.username:
            return person
        if not person.is_staff:
            raise Refused("Only staff may launch for somebody else.")
        owner = User.objects.filter(username=username, is_active=True).first()
        if owner is None:
            raise NotFound(f"There is no user {username!r}.", code="user_not_found")
        return owner


class _OfSession(ApiViewSet[Any]):
    """What belongs to one session and is its owner's (and staff's) business."""

    def session(self) -> Session:
        """The session named in the address. Raises NotFound, or Refused for guests."""
        person = self.person
        found = sessions_for(person, everyone=True).filter(name=self.kwargs["name"]).first()
        if found is None:
            raise NotFound("There is no such session.", code="session_not_found")
        if found.owner_id != person.pk and not person.is_staff:
            raise Refused("Only the owner of this session can do that.")
        return found


class SessionShareViewSet(_OfSession):
    """Who else may watch or use a session."""

    queryset = SessionShare.objects.none()  # tells the schema the model
    serializer_class = ShareSerializer

    def get_queryset(self) -> QuerySet[SessionShare]:
        return SessionShare.objects.filter(session=self.session().pk).select_related("user")

    @documented(
        operation_id="list_shares",
        tags=["sessions"],
        summary="List who a session is shared with",
        errors=["session_not_found"],
    )
    def list(self, request: Request, name: str) -> Response:
        return self.page_of(self.filter_queryset(self.get_queryset()), ShareSerializer)

    @documented(
        operation_id="share_session",
        tags=["sessions"],
        summary="Let another user watch or use a session",
        description="Shared with that user already: their role is replaced.",
        request=ShareRequestSerializer,
        responses={201: ShareSerializer},
        errors=["session_not_found", "user_not_found", "terminated"],
    )
    def create(self, request: Request, name: str) -> Response:
        session = self.session()
        asked = ShareRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        share = services.share(
            session.id,
            asked.validated_data["user"],
            asked.validated_data["role"],
            actor=self.person,
        )
        return Response(ShareSerializer(share).data, status=status.HTTP_201_CREATED)

    @documented(
        operation_id="unshare_session",
        tags=["sessions"],
        summary="Take a share back",
        description="The guest's open streams close within seconds. Absent is success.",
        errors=["session_not_found"],
    )
    def destroy(self, request: Request, name: str, username: str) -> Response:
        services.unshare(self.session().id, username, actor=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SessionEventViewSet(_OfSession):
    """One session's history."""

    queryset = SessionEvent.objects.none()  # tells the schema the model
    serializer_class = EventSerializer
    filterset_class = EventsOfSessionFilter

    def get_queryset(self) -> QuerySet[SessionEvent]:
        return events_for(self.person).filter(session=self.session().pk)

    @documented(
        operation_id="list_session_events",
        tags=["sessions"],
        summary="Read a session's history",
        errors=["session_not_found"],
    )
    def list(self, request: Request, name: str) -> Response:
        return self.page_of(self.filter_queryset(self.get_queryset()), EventSerializer)


class EventViewSet(mixins.ListModelMixin, ApiViewSet[SessionEvent]):
    """The history of the caller's sessions; of all for staff."""

    queryset = SessionEvent.objects.none()  # tells the schema the model
    serializer_class = EventSerializer
    filterset_class = EventFilter

    def get_queryset(self) -> QuerySet[SessionEvent]:
        return events_for(self.person)

    @documented(operation_id="list_events", tags=["events"], summary="Read what happened")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)
