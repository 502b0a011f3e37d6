from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "oven_site.dashboard"
    label = "dashboard"
    verbose_name = "Dashboard"

    def ready(self) -> None:
        from oven_site.live import snapshot

        snapshot.provide_page(_written)


def _written(public: bool) -> str:
    from oven_site.dashboard import page  # when it is asked for: workers never are

    return page.written(public)
