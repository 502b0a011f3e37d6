"""What goes, in numbers and words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from oven.ops.retention import deletion, selection
from oven.ops.retention.batches import Batch
from oven.ops.retention.models import Leftover, RetentionRule
from oven.ops.retention.targets import Subject

FEW = 2000  # so many rows are looked at one by one while a page waits


@dataclass
class Tally:
    """Sums of one kind. A file that is not there counts as none."""

    label: str
    rows: int = 0
    files: int = 0
    bytes: int = 0
    along: Counter[str] = field(default_factory=Counter)
    oldest: datetime | None = None
    newest: datetime | None = None

    def add(self, batch: Batch) -> None:
        self.rows += len(batch.names)
        self.along.update(batch.along)
        self.add_files(batch.files)
        if batch.ends:
            self.oldest = min(batch.ends[0], self.oldest or batch.ends[0])
            self.newest = max(batch.ends[-1], self.newest or batch.ends[-1])

    def add_files(self, files: Iterable[Leftover]) -> None:
        for file in files:
            self.files += bool(file.bytes)
            self.bytes += file.bytes or 0

    def __str__(self) -> str:
        parts = [f"{self.rows:,} rows"] if self.rows or not self.files else []
        if self.oldest and self.newest:
            first, last = timezone.localtime(self.oldest), timezone.localtime(self.newest)
            parts[0] += f" that ended {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M %Z}"
        parts += [f"{count:,} {name}" for name, count in sorted(self.along.items())]
        if self.files or self.rows:
            parts.append(f"{self.files:,} files, {readable(self.bytes)}")
        return f"{self.label}: " + ", ".join(parts)


def readable(count: int) -> str:
    for power, unit in ((3, "GB"), (2, "MB"), (1, "kB")):
        if count >= 1000**power:
            return f"{count / 1000**power:,.1f} {unit}"
    return f"{count} bytes"


def limits(rule: RetentionRule) -> str:
    days = f"{rule.keep_days:,} days" if rule.keep_days is not None else "for ever"
    return f"kept {days}, " + (f"at most {rule.keep_rows:,} rows" if rule.keep_rows is not None else "any number")


def lines(batch: Batch) -> Iterator[str]:
    """Every row and every file by its name."""
    yield from (f"  {batch.subject.name} {name}" for name in batch.names)
    yield from (f"  file {file.store}/{file.key}" for file in batch.files if file.bytes)


def brief(subject: Subject, rule: RetentionRule) -> str:
    """For a page: what would go now, exactly unless it is very much."""
    task = deletion.Task(subject, rule, selection.limit(subject, rule, timezone.now()))
    over = selection.rows(subject, task.last).order_by()[: FEW + 1].count() if task.last else 0
    if over > FEW:
        return f"Would delete now: of more than {FEW:,} rows over the limits all that nothing protects."
    tally = Tally(subject.label)
    for batch in deletion.dry(task, {}):
        tally.add(batch)
    return f"Would delete now: {tally}" + (f" ({over - tally.rows:,} protected)" if over > tally.rows else "")
