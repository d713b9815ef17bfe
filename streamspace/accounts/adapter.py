"""How django-allauth signs people in here."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedRegistrationAdapter(DefaultAccountAdapter):
    """Accounts are made by operators (or come with an OIDC provider), never by visitors."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
