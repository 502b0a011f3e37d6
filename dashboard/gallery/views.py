"""The gallery's page: every card and icon with its age, and a button that has it made anew."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from captures.services import QueueFull
from dashboard.gallery import Section, sections
from oven.http.errors import error
from oven.numbers import whole

PER_PAGE = 60
MAY_LOOK, MAY_REFRESH = "jobs.watch", "captures.add_grab"


@require_GET
@staff_member_required
@permission_required(MAY_LOOK, raise_exception=True)
def page(request: HttpRequest) -> HttpResponse:
    section = sections.get(request.GET.get("section", "")) or next(iter(sections.values()))
    search, number = request.GET.get("q", "").strip()[:100], _number(request.GET.get("page", ""))
    found = section.entries(search, (number - 1) * PER_PAGE, PER_PAGE + 1)
    context = {
        "sections": sections.values(),
        "section": section,
        "entries": [(entry, naturaltime(entry.at) if entry.at else "") for entry in found[:PER_PAGE]],
        "search": search,
        "newer": _address(section, search, number - 1) if number > 1 else "",
        "older": _address(section, search, number + 1) if len(found) > PER_PAGE else "",
        "may_refresh": request.user.has_perm(MAY_REFRESH),
    }
    return render(request, "oven/gallery.html", context)


@require_POST
@staff_member_required
@vary_on_headers("Accept")
def refresh(request: HttpRequest) -> HttpResponse:
    """Has one picture made anew; JSON for the page's script, back to the page for a plain form."""
    if not request.user.has_perm(MAY_REFRESH):
        return error(403, "You may not start captures.")
    section = sections.get(request.POST.get("section", ""))
    if section is None:
        return error(400, "section: there is no such section.", field="section", valid=list(sections))
    try:
        job = section.refresh(request.POST.get("key", ""), request.user)
    except LookupError:
        return error(404, "There is no such picture.", field="key")
    except QueueFull:
        return error(503, "The queue is full.")
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse({"jobId": job.public_id, "statusUrl": f"/status/{job.public_id}"})
    return HttpResponseRedirect(_address(section, "", 1))


def _address(section: Section, search: str, number: int) -> str:
    query: dict[str, Any] = {"section": section.name}
    query |= {"q": search} if search else {}
    query |= {"page": number} if number > 1 else {}
    return f"{reverse('gallery')}?{urlencode(query)}"


def _number(text: str) -> int:
    return max(1, whole(text, 6) or 1)
