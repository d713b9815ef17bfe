"""The operator's console for sessions. Every action goes through ``services``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from streamspace.errors import UserError

from . import services
from .choices import Phase
from .models import Home, Session, SessionEvent, SessionShare

admin.site.site_header = "StreamSpace operations"
admin.site.site_title = "StreamSpace"
admin.site.index_title = "Operations"


class _ReadOnly:
    """Rows that only ``services`` and the reconciler write."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_staff


class EventInline(_ReadOnly, admin.TabularInline[SessionEvent, Session]):
    model = SessionEvent
    fields = ("at", "kind", "actor", "reason", "message")
    readonly_fields = fields
    extra = 0
    verbose_name_plural = "history"


class ShareInline(_ReadOnly, admin.TabularInline[SessionShare, Session]):
    model = SessionShare
    fields = ("user", "role", "created_at")
    readonly_fields = fields
    extra = 0


class LiveFilter(admin.SimpleListFilter):
    """Leave out what is over, unless asked."""

    title = "over"
    parameter_name = "over"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Terminated"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        choices = list(super().choices(changelist))
        choices[0]["display"] = "Not over"
        return choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Session]) -> QuerySet[Session]:
        if self.value() == "yes":
            return queryset.filter(phase=Phase.TERMINATED)
        if self.value() == "all":
            return queryset
        return queryset.exclude(phase=Phase.TERMINATED)


@admin.register(Session)
class SessionAdmin(_ReadOnly, admin.ModelAdmin[Session]):
    list_display = (
        "name",
        "owner",
        "display_name",
        "state",
        "reason",
        "cpu_millicores",
        "memory_mib",
        "idle_deadline",
        "created_at",
    )
    list_filter = (LiveFilter, "phase", "desired_state", "revision__template_name")
    list_select_related = ("owner", "revision")
    search_fields = ("name", "display_name", "owner__username")
    date_hierarchy = "created_at"
    actions = ("hibernate", "wake", "terminate")
    inlines = (ShareInline, EventInline)
    fieldsets = (
        (None, {"fields": ("name", "display_name", "owner", "template", "revision", "home")}),
        ("State", {"fields": ("state", "desired_state", "phase", "step", "why", "log")}),
        (
            "Limits",
            {"fields": ("cpu_millicores", "memory_mib", "idle_timeout", "max_duration")},
        ),
        (
            "Clocks",
            {
                "fields": (
                    "created_at",
                    "start_requested_at",
                    "running_since",
                    "last_activity_at",
                    "idle_deadline",
                    "terminated_at",
                )
            },
        ),
        (
            "Internals",
            {
                "classes": ("collapse",),
                "fields": (
                    "id",
                    "generation",
                    "observed_generation",
                    "attempt",
                    "restarts",
                    "version",
                    "conditions",
                ),
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [str(name) for _, options in self.fieldsets for name in options["fields"]]

    @admin.display(description="state", ordering="phase")
    def state(self, session: Session) -> str:
        return session.display_state.label

    @admin.display(description="why")
    def reason(self, session: Session) -> str:
        return str(session.explanation.get("reason", ""))

    @admin.display(description="explanation")
    def why(self, session: Session) -> str:
        return session.explanation.get("message", "") or "–"

    @admin.display(description="last lines of the application")
    def log(self, session: Session) -> SafeString | str:
        lines = session.explanation.get("log") or []
        if not lines:
            return "–"
        return format_html("<pre>{}</pre>", format_html_join("\n", "{}", ((n,) for n in lines)))

    @admin.action(description="Hibernate", permissions=["view"])
    def hibernate(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        self._each(request, queryset, services.hibernate, "asked to hibernate")

    @admin.action(description="Wake (or retry what failed)", permissions=["view"])
    def wake(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        self._each(request, queryset, services.wake, "asked to wake")

    @admin.action(description="Terminate (homes are kept)", permissions=["view"])
    def terminate(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        self._each(request, queryset, services.terminate, "asked to terminate")

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[Session],
        service: Callable[..., object],
        done: str,
    ) -> None:
        count = 0
        for session in queryset:
            try:
                service(session.pk, actor=request.user)
                count += 1
            except UserError as error:
                # Begins with a word: the admin turns the first letter into a capital.
                text = f"Session {session.name}: {error.message}"
                self.message_user(request, text, messages.ERROR)
        if count:
            word = "session" if count == 1 else "sessions"
            self.message_user(request, f"{count} {word} {done}.", messages.SUCCESS)


@admin.register(Home)
class HomeAdmin(admin.ModelAdmin[Home]):
    """Homes are listed and handed over here; their files are never touched by the admin."""

    list_display = ("name", "owner", "size_mib", "created_at")
    list_select_related = ("owner",)
    search_fields = ("name", "owner__username")
    readonly_fields = ("name", "created_at")
    autocomplete_fields = ("owner",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Home | None = None) -> bool:
        return False
