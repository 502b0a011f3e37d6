"""The sample rules are well-formed, and name metrics and labels that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings as django_settings
from prometheus_client.parser import text_string_to_metric_families

from oven.ops.health import metrics
from oven.ops.metrics import counters

pytestmark = pytest.mark.django_db
PATH = Path(django_settings.BASE_DIR) / "docs" / "examples" / "prometheus_rules.yml"
LABELS = {label for _, labels, *_ in [*counters.COUNTERS.values(), *counters.HISTOGRAMS.values()] for label in labels}
OF_GAUGES = {"code", "level", "lane", "kind", "pool", "store"}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(PATH.read_text())["groups"]
    return list(group["rules"])


def known(valkey: Any) -> set[str]:
    gauges = {family.name for family in text_string_to_metric_families(metrics.text().decode())}
    counts = {f"{name}_total" for name in counters.COUNTERS}
    return gauges | counts | {f"{name}_bucket" for name in counters.HISTOGRAMS} | {"oven_workers"}


def test_every_rule_has_what_it_needs() -> None:
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert rule["expr"].count("(") == rule["expr"].count(")")
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))


def test_they_name_what_there_is(valkey: Any) -> None:
    metrics_known = known(valkey)
    for rule in rules():
        assert set(re.findall(r"\boven_\w+", rule["expr"])) <= metrics_known, rule["alert"]
        for text in re.findall(r"oven_\w+\{([^}]*)\}", rule["expr"]):
            assert set(re.findall(r"(\w+)(?:=|!)", text)) <= LABELS | OF_GAUGES, rule["alert"]
