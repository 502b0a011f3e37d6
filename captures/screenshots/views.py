"""The page of a piece's store screenshots."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_cookie

from captures.requests import check_piece
from captures.screenshots import requests
from oven.errors import BadRequest

USUAL_PIECE = "prompt"


@require_GET
@vary_on_cookie
def screenshots(request: HttpRequest) -> HttpResponse:
    """Anybody may look, and have captured what is missing; regenerating is for staff."""
    piece = request.GET.get("piece", "").strip() or USUAL_PIECE
    context: dict[str, Any] = {"piece": piece, "staff": _is_staff(request), "boot": {}}
    try:
        overview = requests.overview(check_piece(piece))
    except BadRequest as bad:
        return render(request, "oven/shots.html", {**context, "problem": bad.message}, status=400)
    context["boot"] = {"overview": overview, "overviewUrl": f"/api/app-screenshots/{requests.segment(piece)}"}
    return render(request, "oven/shots.html", {**context, **_cards(overview)})


def _is_staff(request: HttpRequest) -> bool:
    return hasattr(request, "user") and request.user.is_staff  # the fast path knows no users


def _cards(overview: dict[str, Any]) -> dict[str, Any]:
    shots = [{"name": name, **shot} for name, shot in overview["presets"].items()]
    order = list(dict.fromkeys(shot["category"] for shot in shots))
    shots.sort(key=lambda shot: order.index(shot["category"]))
    grouped = groupby(shots, key=lambda shot: shot["category"])
    categories = [{"name": name, "title": _title(name), "shots": list(found)} for name, found in grouped]
    return {"overview": overview, "categories": categories}


def _title(slug: str) -> str:
    """A category's name for people: tablet10 is Tablet 10."""
    return re.sub(r"(?<=[a-z])(?=\d)", " ", re.sub("[-_]+", " ", slug)).capitalize()
