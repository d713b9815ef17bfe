"""The catalogue for programs."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet
from rest_framework import status
from rest_framework.permissions import BasePermission, IsAdminUser, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from streamspace.api.schema import documented
from streamspace.api.views import ApiViewSet
from streamspace.errors import NotFound
from templates_app.models import Template, TemplateRevision

from .filters import TemplateFilter
from .serializers import RevisionSerializer, TemplateChangeSerializer, TemplateSerializer


class TemplateViewSet(ApiViewSet[Template]):
    """What can be launched. Everybody sees everything; staff decide what is offered."""

    queryset = Template.objects.none()  # tells the schema the model
    serializer_class = TemplateSerializer
    filterset_class = TemplateFilter
    lookup_field = "name"
    not_found_code = "template_not_found"
    not_found_message = "There is no such template."

    def get_permissions(self) -> list[BasePermission]:
        staff_only = self.action == "partial_update"
        return [IsAdminUser() if staff_only else IsAuthenticated()]

    def get_queryset(self) -> QuerySet[Template]:
        mine = Template.favourites.through.objects.filter(
            template_id=OuterRef("pk"), user_id=self.person.pk
        )
        return (
            Template.objects.select_related("current_revision")
            .defer("icon")
            .annotate(favourite=Exists(mine))
            .order_by("-featured", "display_name", "name")
        )

    @documented(
        operation_id="list_templates",
        tags=["templates"],
        summary="List the catalogue, featured templates first",
    )
    def list(self, request: Request) -> Response:
        return self.page_of(self.filter_queryset(self.get_queryset()), TemplateSerializer)

    @documented(
        operation_id="get_template",
        tags=["templates"],
        summary="Look at a template",
        errors=["template_not_found"],
    )
    def retrieve(self, request: Request, name: str) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    @documented(
        operation_id="change_template",
        tags=["templates"],
        summary="Offer a template or not, feature it or not. For staff",
        request=TemplateChangeSerializer,
        responses=TemplateSerializer,
        errors=["template_not_found"],
    )
    def partial_update(self, request: Request, name: str) -> Response:
        template = self.get_object()
        asked = TemplateChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        for field, value in asked.validated_data.items():
            setattr(template, field, value)
        if asked.validated_data:
            template.save(update_fields=[*asked.validated_data, "updated_at"])
        return Response(self.get_serializer(template).data)

    @documented(
        operation_id="add_favourite",
        tags=["templates"],
        summary="Make a template one of the caller's favourites",
        request=None,
        responses={204: None},
        errors=["template_not_found"],
    )
    def add_favourite(self, request: Request, name: str) -> Response:
        self.get_object().favourites.add(self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @documented(
        operation_id="remove_favourite",
        tags=["templates"],
        summary="Take a template off the caller's favourites",
        responses={204: None},
        errors=["template_not_found"],
    )
    def remove_favourite(self, request: Request, name: str) -> Response:
        self.get_object().favourites.remove(self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)


class RevisionViewSet(ApiViewSet[TemplateRevision]):
    """The revisions of one template, newest first."""

    queryset = TemplateRevision.objects.none()  # tells the schema the model
    serializer_class = RevisionSerializer

    def get_queryset(self) -> QuerySet[TemplateRevision]:
        return (
            TemplateRevision.objects.filter(template__name=self.kwargs["name"])
            .select_related("template")
            .defer("template__icon")
            .order_by("-number")
        )

    @documented(
        operation_id="list_template_revisions",
        tags=["templates"],
        summary="List a template's revisions",
        errors=["template_not_found"],
    )
    def list(self, request: Request, name: str) -> Response:
        if not Template.objects.filter(name=name).exists():
            raise NotFound("There is no such template.", code="template_not_found")
        return self.page_of(self.filter_queryset(self.get_queryset()), RevisionSerializer)
