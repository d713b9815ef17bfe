"""The portal's pages."""

from __future__ import annotations

from django.templatetags.static import static
from django.urls import path
from django.views.generic.base import RedirectView

from .views import account, enter, home, sessions, templates


class Favicon(RedirectView):
    """Browsers ask for it at this address when a page (a session's, say) names none."""

    def get_redirect_url(self, *args: object, **kwargs: object) -> str:
        return static("streamspace/favicon.svg")


urlpatterns = [
    path("", home.home, name="home"),
    path("favicon.ico", Favicon.as_view(), name="favicon"),
    path("sessions", home.sessions, name="sessions"),
    path("sessions/<slug:name>", sessions.session, name="session"),
    path("sessions/<slug:name>/card", sessions.session_card, name="session-card"),
    path("sessions/<slug:name>/enter", enter.enter, name="session-enter"),
    path("sessions/<slug:name>/terminate", sessions.terminate, name="session-terminate"),
    path("sessions/<slug:name>/extend", sessions.extend, name="session-extend"),
    path("sessions/<slug:name>/share", sessions.share, name="session-share"),
    path("sessions/<slug:name>/unshare", sessions.unshare, name="session-unshare"),
    *(
        path(
            f"sessions/<slug:name>/{action}",
            sessions.act,
            {"action": action},
            name=f"session-{action}",
        )
        for action in ("hibernate", "wake", "retry")
    ),
    path("templates/<slug:name>", templates.detail, name="template"),
    path("templates/<slug:name>/icon.svg", templates.icon, name="template-icon"),
    path("templates/<slug:name>/favourite", home.favourite, name="template-favourite"),
    path("launch/<slug:name>", templates.launch, name="launch"),
    path("launch/<slug:name>/fits", templates.fits, name="launch-fits"),
    path("quota", account.quota, name="quota"),
    path("tokens", account.tokens, name="tokens"),
    path("tokens/<str:pk>/revoke", account.revoke, name="token-revoke"),
]
