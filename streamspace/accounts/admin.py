"""People, groups, quotas and tokens in the operator's console."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from .models import ApiToken, Quota, User
from .services import LIMITS, RIGHTS

_QUOTA_HELP = (
    "The user's own limit decides first, then the most generous one of the user's groups, then "
    "the default. An empty limit leaves the next rule to decide; what none limits is unlimited."
)


_INLINE_TITLE = "quota: an empty limit leaves the next rule to decide"


class UserQuotaInline(admin.StackedInline[Quota, User]):
    """The user's own quota, on the user's page."""

    model = Quota
    fk_name = "user"
    fields = LIMITS
    extra = 0
    verbose_name_plural = _INLINE_TITLE

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return _may_limit(request, obj) and super().has_change_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return _may_limit(request, obj) and super().has_add_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return _may_limit(request, obj) and super().has_delete_permission(request, obj)


class GroupQuotaInline(admin.StackedInline[Quota, Group]):
    """The group's quota, on the group's page."""

    model = Quota
    fk_name = "group"
    fields = LIMITS
    extra = 0
    verbose_name_plural = _INLINE_TITLE


def _may_limit(request: HttpRequest, user: User | None) -> bool:
    """Operators set quotas, but only superusers their own."""
    return bool(request.user.is_superuser) or user is None or user.pk != request.user.pk


@admin.register(User)
class UserAdmin(DjangoUserAdmin[User]):
    """People. Operators who are no superusers neither give rights nor touch other operators."""

    list_display = (
        "username",
        "email",
        "full_name",
        "is_active",
        "is_staff",
        "group_names",
        "last_login",
    )
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    search_fields = ("username", "first_name", "last_name", "email")
    search_help_text = "Part of a user name, name or mail address."
    date_hierarchy = "date_joined"
    autocomplete_fields = ("groups",)
    filter_horizontal = ("user_permissions",)
    inlines = (UserQuotaInline,)
    actions = ("deactivate", "activate")
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="name", ordering="last_name")
    def full_name(self, user: User) -> str:
        return user.get_full_name()

    @admin.display(description="groups")
    def group_names(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all())

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        return self.inlines if obj is not None else ()

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fixed = {"last_login", "date_joined", *super().get_readonly_fields(request, obj)}
        return sorted(fixed if request.user.is_superuser else fixed | RIGHTS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return self._may_touch(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return self._may_touch(request, obj) and super().has_delete_permission(request, obj)

    @staticmethod
    def _may_touch(request: HttpRequest, user: User | None) -> bool:
        if user is None or request.user.is_superuser:
            return True
        return not (user.is_staff or user.is_superuser)

    @admin.action(description="Shut out the selected people and revoke their tokens")
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        people = self._others(request, queryset)
        ApiToken.objects.filter(user__in=people).delete()
        count = User.objects.filter(pk__in=people).update(is_active=False)
        self.message_user(request, f"{count} shut out. Their sessions go on until they are idle.")

    @admin.action(description="Let the selected people in again")
    def activate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        people = self._others(request, queryset)
        count = User.objects.filter(pk__in=people).update(is_active=True)
        self.message_user(request, f"{count} may sign in.")

    @staticmethod
    def _others(request: HttpRequest, queryset: QuerySet[User]) -> list[int]:
        """Those of the selected whom this operator may touch, never the operator."""
        people = queryset.exclude(username=request.user.get_username())
        if not request.user.is_superuser:
            people = people.filter(is_staff=False, is_superuser=False)
        return list(people.values_list("pk", flat=True))


# Through the portal's own sign-in: the console's knows no limit of attempts and no second factor.
admin.site.login = secure_admin_login(  # type: ignore[method-assign,no-untyped-call]
    admin.site.login
)

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin):
    """Groups, each with its quota."""

    list_display = ("name", "member_count", "quota_summary")
    search_fields = ("name",)
    search_help_text = "Part of a group's name."
    inlines = (GroupQuotaInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        groups: QuerySet[Group] = super().get_queryset(request)
        return groups.select_related("quota").annotate(members=Count("user"))

    @admin.display(description="members", ordering="members")
    def member_count(self, group: Any) -> int:
        return int(group.members)

    @admin.display(description="quota")
    def quota_summary(self, group: Group) -> str:
        quota = getattr(group, "quota", None)
        return summary(quota) if quota is not None else ""


class KindFilter(admin.SimpleListFilter):
    """Whom a quota is for."""

    title = "whom it is for"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("default", "Everybody (default)"), ("group", "A group"), ("user", "A user")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Quota]) -> QuerySet[Quota]:
        if self.value() is None:
            return queryset
        return queryset.filter(
            user__isnull=self.value() != "user", group__isnull=self.value() != "group"
        )


@admin.register(Quota)
class QuotaAdmin(admin.ModelAdmin[Quota]):
    """All quotas, the default one among them."""

    list_display = ("__str__", *LIMITS)
    list_filter = (KindFilter,)
    list_select_related = ("user", "group")
    search_fields = ("user__username", "group__name")
    search_help_text = "Part of a user's or group's name."
    autocomplete_fields = ("user", "group")
    fieldsets = (
        (
            "Whom it is for",
            {
                "fields": ("user", "group"),
                "description": "A user, or a group, or neither: then it is everybody's default.",
            },
        ),
        ("Limits", {"fields": LIMITS, "description": _QUOTA_HELP}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Quota | None = None) -> Any:
        return ("user", "group") if obj is not None else ()

    def has_change_permission(self, request: HttpRequest, obj: Quota | None = None) -> bool:
        return self._not_own(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Quota | None = None) -> bool:
        return self._not_own(request, obj) and super().has_delete_permission(request, obj)

    @staticmethod
    def _not_own(request: HttpRequest, quota: Quota | None) -> bool:
        return quota is None or _may_limit(request, quota.user)


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin[ApiToken]):
    """Everybody's tokens, to see and to revoke; their secrets exist nowhere."""

    list_display = ("name", "visible_part", "user", "created", "expiry", "valid")
    list_filter = ("created", "expiry")
    list_select_related = ("user",)
    search_fields = ("name", "user__username", "token_key")
    search_help_text = "Part of a token's name, its first characters, or a user name."
    date_hierarchy = "created"
    fields = ("name", "visible_part", "user", "created", "expiry", "valid")
    readonly_fields = fields

    @admin.display(description="token", ordering="token_key")
    def visible_part(self, token: ApiToken) -> str:
        return f"{token.token_key}…"

    @admin.display(description="valid", boolean=True)
    def valid(self, token: ApiToken) -> bool:
        return token.expiry is None or token.expiry > timezone.now()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False


def summary(quota: Quota) -> str:
    """A quota's limits on one line.

    >>> summary(Quota(max_sessions=3, max_memory_mib=4096))
    '3 sessions, 4096 memory'
    """
    limits = (
        f"{getattr(quota, name)} {quota._meta.get_field(name).verbose_name}"  # type: ignore[union-attr]
        for name in LIMITS
        if getattr(quota, name) is not None
    )
    return ", ".join(limits)
