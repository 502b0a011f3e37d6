"""No package of the project imports another that imports it, directly or by way of others."""

from __future__ import annotations

from tests import package_graph
from tests.package_graph import cycles


def test_there_is_no_cycle_between_packages() -> None:
    assert cycles(package_graph.package_graph()) == []


def test_there_is_no_cycle_between_modules() -> None:
    assert cycles(package_graph.module_graph()) == []


def test_the_platform_imports_no_app() -> None:
    graph = package_graph.package_graph()
    found = {name: {each for each in graph[name] if not each.startswith("oven.")} for name in graph}
    assert {name: above for name, above in found.items() if name.startswith("oven.") and above} == {}


def test_a_cycle_is_found_through_others() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [["a", "b", "c"]]


def test_every_package_is_in_the_graph() -> None:
    found = {path.parent.name for path in package_graph.ROOT.glob("*/__init__.py")} - {"tests", "bench", "pieces"}
    assert found == set(package_graph.PACKAGES)


def test_the_document_shows_the_graph_as_it_is() -> None:
    assert package_graph.documented() == package_graph.DOCUMENT.read_text(), (
        "run python -m tests.package_graph --write"
    )
