"""Every route of the site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from captures.gallery import views as gallery
from captures.shots.views import screenshots
from oven_site.api import api
from oven_site.artifacts.views import serve
from oven_site.dashboard import views

admin.autodiscover()

urlpatterns = [
    path("", views.live, name="live"),
    path("sign-in", views.sign_in, name="sign-in"),
    path("live/grab", views.start_grab, name="live-grab"),
    path("live/state", views.state, name="live-state"),
    path("live/job/<str:public_id>/<str:action>", views.act, name="live-act"),
    path("files/<str:store>/<path:key>", serve, name="file"),
    path("app-screenshots", screenshots, name="app-screenshots"),
    path("gallery", gallery.page, name="gallery"),
    path("gallery/refresh", gallery.refresh, name="gallery-refresh"),
    path("admin/", admin.site.urls),
    path("", api.urls),
]
handler404 = "oven_site.contract.not_found"
handler500 = "oven_site.contract.server_error"
