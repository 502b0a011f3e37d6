from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"
    label = "dashboard"
    verbose_name = "Dashboard"

    def ready(self) -> None:
        from dashboard.gallery import cards, icons
        from oven.events import snapshot

        snapshot.provide_page(_written)
        icons.provide_all()
        cards.provide_all()


def _written(public: bool) -> str:
    from dashboard import page_state  # when it is asked for: workers never are

    return page_state.written(public)
