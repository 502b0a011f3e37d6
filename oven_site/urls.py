"""Every route of the site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from captures.screenshots.views import screenshots
from dashboard import actions, views
from dashboard.gallery import views as gallery
from oven.accounts.login import passkeys
from oven.accounts.login import views as identity
from oven.http.routes import contract
from oven.storage.views import serve
from oven_site.api import api

admin.autodiscover()

urlpatterns = [
    path("", views.live, name="live"),
    path("sign-in", views.sign_in, name="sign-in"),
    path("sign-in/provider", identity.begin, name="oidc-begin"),
    path("sign-in/provider/callback", identity.callback, name="oidc-callback"),
    path("sign-in/passkey", identity.passkey, name="passkey"),
    path("sign-in/passkey/begin", identity.passkey_begin, name="passkey-begin"),
    path("live/state", views.state, name="live-state"),
    path("live/done", views.done, name="live-done"),
    path("live/frozen", views.frozen, name="live-frozen"),
    path("live/vitals", views.vitals, name="live-vitals"),
    path("live/alerts", views.alerts, name="alerts"),
    path("live/charts", views.charts, name="live-charts"),
    path("live/log", views.log, name="live-log"),
    path("live/start/<str:kind>", actions.start, name="live-start"),
    path("live/job/<str:public_id>/<str:action>", actions.act, name="live-act"),
    path("live/freeze", actions.freeze, name="live-freeze"),
    path("live/unfreeze", actions.unfreeze, name="live-unfreeze"),
    path("live/bulk", actions.bulk_action, name="live-bulk"),
    path("live/bulk/<str:public_id>", actions.bulk_state, name="live-bulk-state"),
    path("live/bulk/<str:public_id>/undo", actions.undo, name="live-undo"),
    path("files/<str:store>/<path:key>", contract(serve), name="file"),
    path("app-screenshots", contract(screenshots), name="app-screenshots"),
    path("gallery", gallery.page, name="gallery"),
    path("gallery/refresh", gallery.refresh, name="gallery-refresh"),
    path("admin/passkeys/", passkeys.routed(passkeys.page), name="passkeys"),
    path("admin/passkeys/begin", passkeys.routed(passkeys.begin), name="passkeys-begin"),
    path("admin/passkeys/add", passkeys.routed(passkeys.add), name="passkeys-add"),
    path("admin/passkeys/<int:pk>/remove", passkeys.routed(passkeys.remove), name="passkeys-remove"),
    path("admin/passkeys/confirm", passkeys.routed(passkeys.confirm), name="passkeys-confirm"),
    path("admin/", admin.site.urls),
    path("", api.urls),
]
handler400 = "oven.http.errors.malformed"
handler404 = "oven.http.errors.not_found"
handler500 = "oven.http.errors.server_error"
