"""Every route of the site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from captures.gallery import views as gallery
from captures.shots.views import screenshots
from oven_site.api import api
from oven_site.artifacts.views import serve
from oven_site.dashboard import acting, views

admin.autodiscover()

urlpatterns = [
    path("", views.live, name="live"),
    path("sign-in", views.sign_in, name="sign-in"),
    path("live/state", views.state, name="live-state"),
    path("live/done", views.done, name="live-done"),
    path("live/frozen", views.frozen, name="live-frozen"),
    path("live/vitals", views.vitals, name="live-vitals"),
    path("live/charts", views.charts, name="live-charts"),
    path("live/log", views.log, name="live-log"),
    path("live/start/<str:kind>", acting.start, name="live-start"),
    path("live/job/<str:public_id>/<str:action>", acting.act, name="live-act"),
    path("live/freeze", acting.freeze, name="live-freeze"),
    path("live/unfreeze", acting.unfreeze, name="live-unfreeze"),
    path("live/bulk", acting.bulk_action, name="live-bulk"),
    path("live/bulk/<str:public_id>", acting.bulk_state, name="live-bulk-state"),
    path("live/bulk/<str:public_id>/undo", acting.undo, name="live-undo"),
    path("files/<str:store>/<path:key>", serve, name="file"),
    path("app-screenshots", screenshots, name="app-screenshots"),
    path("gallery", gallery.page, name="gallery"),
    path("gallery/refresh", gallery.refresh, name="gallery-refresh"),
    path("admin/", admin.site.urls),
    path("", api.urls),
]
handler400 = "oven_site.contract.malformed"
handler404 = "oven_site.contract.not_found"
handler500 = "oven_site.contract.server_error"
