from __future__ import annotations

import pytest

from oven.jobs.states import ACTIVE, ENDED, RUNNING, WAITING, Group, Lane, State

CHIPS = {"info", "warning", "primary", "success", "danger", "default"}  # of the admin theme


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_a_label_a_colour_and_a_group(state: State) -> None:
    assert state.label
    assert state.color in CHIPS
    assert state.group in Group


def test_each_state_belongs_to_one_group() -> None:
    assert sorted([*WAITING, *RUNNING, *ENDED]) == sorted(State)
    assert set(ACTIVE) == set(State) - set(ENDED)


@pytest.mark.parametrize("lane", list(Lane))
def test_every_lane_has_a_label_and_a_colour(lane: Lane) -> None:
    assert lane.label
    assert lane.color in CHIPS


def test_only_batch_ages_and_never_into_keep() -> None:
    assert [lane.above for lane in (Lane.BATCH, Lane.NOW, Lane.KEEP)] == [Lane.NOW, Lane.NOW, Lane.KEEP]


def test_lanes_are_ordered_by_urgency() -> None:
    assert Lane.values == ["keep", "now", "heavy", "batch"]
