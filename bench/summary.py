"""From single measurements to a table."""

from __future__ import annotations

import statistics
from typing import Any

from bench.facts import percentile, table
from bench.load import Measured

PEERS = {"webp": "page.screenshot", "png": "shot-scraper, 1 at once"}
TITLES = {"webp": "Animations (webp)", "png": "Stills (png)"}
HEAD = ["piece, system", "grabs/min", "rounds", "ratio", "p50 s", "p95 s", "CPU-s", "ratio", "PSS MB", "KB", "failed"]


def summarise(measured: list[Measured]) -> list[dict[str, Any]]:
    """One row for each piece, kind and load, over all rounds."""
    groups: dict[tuple[str, str, str], list[Measured]] = {}
    for one in measured:
        groups.setdefault((one.load.kind, one.piece, one.load.name), []).append(one)
    rows = [_row(*key, group) for key, group in groups.items()]
    for row in rows:
        peer = next((r for r in rows if _is_peer(r, row)), None)
        if peer and peer["grabs"] and row["grabs"]:
            row["rate_ratio"] = round(row["grabs_per_minute"] / peer["grabs_per_minute"], 2)
            row["cpu_ratio"] = round(peer["cpu_s_per_grab"] / row["cpu_s_per_grab"], 2)
    return rows


def _is_peer(other: dict[str, Any], row: dict[str, Any]) -> bool:
    same = other["kind"] == row["kind"] and other["piece"] == row["piece"]
    return bool(same and other["load"] == PEERS[row["kind"]])


def _row(kind: str, piece: str, load: str, group: list[Measured]) -> dict[str, Any]:
    """Rate and CPU are totals over all rounds; latencies are of all grabs together."""
    good = [single for one in group for single in one.good]
    latencies = [single.latency_s for single in good]
    wall, cpu = sum(one.usage.wall_s for one in group), sum(one.usage.cpu_s for one in group)
    return {
        "kind": kind,
        "piece": piece,
        "load": load,
        "clients": group[0].load.clients,
        "grabs": len(good),
        "failed": sum(len(one.singles) for one in group) - len(good),
        "grabs_per_minute": round(60 * len(good) / wall, 2),
        "rounds_per_minute": [round(60 * len(one.good) / one.usage.wall_s, 2) for one in group],
        "p50_s": round(percentile(latencies, 50), 3) if good else None,
        "p95_s": round(percentile(latencies, 95), 3) if good else None,
        "cpu_s_per_grab": round(cpu / max(1, len(good)), 3),
        "pss_peak_mb": round(max(one.usage.pss_peak_mb for one in group), 1),
        "bytes_median": round(statistics.median(single.size for single in good)) if good else 0,
        "frames": sorted({single.frames for single in good}),
    }


def report(rows: list[dict[str, Any]]) -> str:
    parts = []
    for kind, title in TITLES.items():
        lines = [_cells(row) for row in sorted(rows, key=lambda row: row["piece"]) if row["kind"] == kind]
        if lines:
            parts.append(f"{title}; ratios: to {PEERS[kind]}, above 1 is better\n\n{table(HEAD, lines)}\n")
    return "\n".join(parts)


def _cells(row: dict[str, Any]) -> list[str]:
    rounds = row["rounds_per_minute"]
    return [
        f"{row['piece']}, {row['load']}",
        f"{row['grabs_per_minute']:.1f}",
        f"{min(rounds):.0f}-{max(rounds):.0f}",
        _ratio(row.get("rate_ratio")),
        _seconds(row["p50_s"]),
        _seconds(row["p95_s"]),
        f"{row['cpu_s_per_grab']:.2f}",
        _ratio(row.get("cpu_ratio")),
        f"{row['pss_peak_mb']:.0f}",
        f"{row['bytes_median'] / 1024:.0f}",
        str(row["failed"]),
    ]


def _ratio(value: float | None) -> str:
    return "" if value is None else f"x{value:.2g}" if value < 10 else f"x{value:.0f}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
