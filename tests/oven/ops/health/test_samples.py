from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from captures.models import Grab
from oven.errors import BadRequest
from oven.jobs import registry
from oven.jobs.states import State
from oven.ops.health import charts, samples
from oven.ops.health.models import Minute
from oven.ops.health.quantiles import as_text, digest, merged, percentile

pytestmark = pytest.mark.django_db
Ended = Callable[..., None]


@pytest.fixture
def minute(monkeypatch: pytest.MonkeyPatch) -> int:
    """The clock of the samples stands still, in the middle of a minute."""
    now = int(time.time()) // 60
    monkeypatch.setattr(samples, "this_minute", lambda: now)
    return now


@pytest.fixture
def ended(minute: int) -> Ended:
    """Makes jobs that ended so many minutes ago, after having waited and run so many seconds."""

    def make(
        ago: int, state: str = State.COMPLETE, ran_s: float = 2.0, waited_s: float = 0.0, count: int = 1
    ) -> None:
        end = samples.moment(minute - ago) + timedelta(seconds=30)
        start = end - timedelta(seconds=ran_s)
        first = Grab.objects.count()
        Grab.objects.bulk_create(
            Grab(
                public_id=f"g{number}",
                capture_key=f"g{number}",
                state=state,
                started_at=start,
                ended_at=end,
                out_width=1,
                out_height=1,
            )
            for number in range(first, first + count)
        )
        Grab.objects.filter(started_at=start, ended_at=end).update(created_at=start - timedelta(seconds=waited_s))

    return make


def rows() -> dict[int, tuple[int, int, int, int]]:
    return {row.at: (row.done, row.failed, row.cancelled, row.depth) for row in Minute.objects.filter(kind="grab")}


def test_a_minute_is_what_ended_in_it(ended: Ended, minute: int) -> None:
    ended(0, count=3)
    ended(0, State.FAILED)
    ended(1, State.CANCELLED, count=2)
    samples.Sampler().write()
    assert rows() == {minute: (3, 1, 0, 0), minute - 1: (0, 0, 2, 0)}


def test_writing_again_changes_nothing_and_adds_what_is_new(ended: Ended, minute: int) -> None:
    sampler = samples.Sampler()
    ended(0)
    sampler.write()
    before = list(Minute.objects.values())
    sampler.write()
    samples.Sampler().write()  # the scheduler was started anew
    assert list(Minute.objects.values()) == before
    ended(0)
    ended(1)  # committed late
    sampler.write()
    assert rows() == {minute: (2, 0, 0, 0), minute - 1: (1, 0, 0, 0)}


def test_nothing_is_written_while_nothing_happens(minute: int, valkey: Any, django_assert_num_queries: Any) -> None:
    sampler = samples.Sampler()
    sampler.write()
    with django_assert_num_queries(len(registry.kinds()) + 1):
        assert sampler.write() == 0
    assert not Minute.objects.exists()


def test_missed_minutes_are_caught_up_for_a_day(ended: Ended, minute: int) -> None:
    Minute.objects.create(at=minute - 3000, kind="grab", done=1)
    for ago in (1500, 1400, 700, 5):
        ended(ago)
    samples.Sampler().write()
    assert sorted(rows()) == [minute - 3000, minute - 1400, minute - 700, minute - 5]


def test_a_sampler_that_goes_on_looks_no_further_back_than_it_must(ended: Ended, minute: int) -> None:
    sampler = samples.Sampler()
    sampler.write()
    ended(10)
    sampler.write()
    assert rows() == {}


def test_rows_that_are_deleted_later_stay_counted(ended: Ended, minute: int) -> None:
    ended(0)
    ended(10)
    samples.Sampler().write()
    Grab.objects.all().delete()
    samples.Sampler().write()
    assert sorted(rows()) == [minute - 10, minute]


def test_the_deepest_queue_that_was_seen_counts(ended: Ended, minute: int) -> None:
    sampler = samples.Sampler()
    for depth in (3, 7, 2):
        sampler.look({"grab": depth})
    sampler.write()
    assert rows() == {minute: (0, 0, 0, 7)}
    samples.Sampler().write()
    assert rows() == {minute: (0, 0, 0, 7)}


def test_the_queue_of_missed_minutes_is_that_at_their_end(ended: Ended, minute: int) -> None:
    ended(5, ran_s=20, waited_s=150, count=4)  # waited over three ends of minutes: 8, 7 and 6 ago
    samples.Sampler().write()
    assert {at - minute: row[3] for at, row in rows().items()} == {-8: 4, -7: 4, -6: 4, -5: 0}


def test_old_minutes_are_forgotten(minute: int, settings: Any) -> None:
    settings.OVEN_SAMPLE_DAYS = 2
    for ago in (0, 2 * 1440, 2 * 1440 + 1):
        Minute.objects.create(at=minute - ago, kind="grab")
    assert samples.prune() == 1
    assert sorted(rows()) == [minute - 2880, minute]


# --- percentiles ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spread", [0.1, 1.0, 2.0])
def test_percentiles_are_right_within_a_tenth(spread: float) -> None:
    chance = random.Random(spread)
    times = sorted(chance.lognormvariate(7, spread) for _ in range(2000))
    parts = [as_text(digest(times[start::7])) for start in range(7)]
    for percent in (50, 95):
        exact = times[round(len(times) * percent / 100) - 1]
        assert percentile(merged(",".join(parts)), percent) == pytest.approx(exact, rel=0.1)


def test_nothing_has_no_percentile() -> None:
    assert percentile(merged(""), 50) is None
    assert percentile(merged("{}," + as_text(digest([0]))), 50) == 1


# --- charts ---------------------------------------------------------------------------------------------------------


def test_an_hour_has_a_step_a_minute_of_which_the_last_is_now(ended: Ended, minute: int) -> None:
    ended(0, ran_s=1.0, count=2)
    ended(0, State.FAILED)
    ended(59, ran_s=4.0)
    ended(60)  # too long ago
    samples.Sampler().write()
    found = charts.charts("hour")
    assert (found["span"], found["stepS"], found["from"]) == ("hour", 60, (minute - 59) * 60_000)
    line = found["kinds"]["grab"]
    assert set(line) == {"done", "failed", "depth", "p50", "p95"}
    assert all(len(values) == 60 for values in line.values())
    assert (line["done"][0], line["done"][-1], sum(line["done"])) == (1, 2, 3)
    assert (line["failed"][-1], sum(line["failed"])) == (1, 1)
    assert line["p50"][-1] == pytest.approx(1000, rel=0.1)
    assert line["p95"][0] == pytest.approx(4000, rel=0.1)
    assert line["p50"][1] is None
    assert found["success"] == {**dict.fromkeys(found["kinds"]), "grab": 75.0}


def test_every_kind_that_is_shown_has_its_lines(minute: int) -> None:
    shown = {kind.name for kind in registry.kinds() if kind.model.shown}
    assert set(charts.charts()["kinds"]) == shown
    assert "delivery" not in shown


def test_a_day_has_a_step_a_quarter_of_an_hour(minute: int) -> None:
    start = (minute // 15) * 15
    for at, depth, times in (
        (start, 3, [100.0] * 9),
        (start - 1, 9, [1.0]),
        (start - 95 * 15, 1, []),
        (start - 1440, 5, []),
    ):
        Minute.objects.create(at=at, kind="grab", done=len(times), depth=depth, durations=as_text(digest(times)))
    line = charts.charts("day")["kinds"]["grab"]
    assert all(len(values) == 96 for values in line.values())
    assert (line["depth"][0], line["depth"][-2:], line["done"][-2:]) == (1, [9, 3], [1, 9])
    assert line["p95"][-1] == pytest.approx(100, rel=0.1)


def test_an_unknown_span_is_refused() -> None:
    with pytest.raises(BadRequest):
        charts.charts("week")


def test_charts_look_at_no_job(minute: int, django_assert_num_queries: Any) -> None:
    times = as_text(digest([float(ms) for ms in range(300, 900, 20)]))
    Minute.objects.bulk_create(
        Minute(at=minute - ago, kind=kind, done=30, durations=times)
        for ago in range(1440)
        for kind in ("grab", "bake")
    )
    with django_assert_num_queries(1) as seen:
        charts.charts("day")
    assert "health_minute" in seen[0]["sql"]
    best = min(_ms(lambda: charts.charts("day")) for _ in range(5))
    print(f"charts of a full day of two kinds: {best:.0f} ms of CPU")


def _ms(call: Callable[[], Any]) -> float:
    started = time.process_time()
    call()
    return (time.process_time() - started) * 1000


def test_the_time_of_a_minute_is_in_utc() -> None:
    assert samples.moment(samples.this_minute()) <= timezone.now()
