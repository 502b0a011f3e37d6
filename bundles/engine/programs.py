"""KidLisp programs: the main one, those that it names, and the paintings that any of them names."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field

from bundles.engine.colours import CSS_COLOURS
from bundles.engine.errors import BundleError, ErrorCode
from bundles.engine.spec import BundleSpec, Limits, Picture, Program

COMMENT = re.compile(r"\"[^\"\n]*\"|;[^\n]*")
CODE = re.compile(r"\$([A-Za-z0-9_-]+)")
PICTURE = re.compile(r"#([A-Za-z0-9]{3})\b")
WIPE = re.compile(r"^\s*\(?\s*wipe\s+([^\s()]+)", re.M)
FIRST_WORD = re.compile(r"[\s(]*([A-Za-z]+)")


@dataclass(slots=True)
class Programs:
    """`sources` by code, the main one first."""

    main: Program
    sources: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, Picture] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def gather(spec: BundleSpec, limits: Limits) -> Programs:
    """Breadth first, each once, so that programs may name each other. What is named and not there is left out, with a
    warning: `$20` may be a price. Raises BundleError NOT_FOUND (of the main one), FETCH, TOO_LARGE."""
    main = _ask(spec, spec.code)
    if main is None:
        raise BundleError(ErrorCode.NOT_FOUND, f"There is no program ${spec.code}.")
    found = Programs(main, {spec.code: main.source})
    todo, asked = deque(named(main.source)), {spec.code}
    while todo:
        code = todo.popleft()
        if code in asked:
            continue
        asked.add(code)
        if len(asked) > limits.programs:
            raise BundleError(ErrorCode.TOO_LARGE, f"${spec.code} leads to more than {limits.programs} programs.")
        inner = _ask(spec, code)
        if inner is None:
            found.warnings.append(f"${code} is named, and there is no such program")
            continue
        found.sources[code] = inner.source
        if sum(len(source) for source in found.sources.values()) > limits.program_bytes:
            raise BundleError(ErrorCode.TOO_LARGE, f"The programs are larger than {limits.program_bytes} bytes.")
        todo.extend(named(inner.source))
    return found


def gather_pictures(spec: BundleSpec, found: Programs, limits: Limits) -> None:
    """Fetches the paintings that the programs name. What fails is left out: a colour may look like one."""
    for code in picture_codes(found.sources.values())[: limits.pictures]:
        try:
            picture = spec.programs.fetch_image(code) if spec.programs else None
        except BundleError:
            raise
        except Exception as error:
            found.warnings.append(f"the painting #{code} could not be fetched: {error}")
            continue
        if picture is not None and len(picture.png) <= limits.picture_bytes:
            found.pictures[code] = picture


def named(source: str) -> list[str]:
    """Codes of other programs in a program, as often as they are there; not those in comments."""
    return [code.lower() for code in CODE.findall(_uncommented(source))]


def picture_codes(sources: object) -> list[str]:
    """First seen first, each once; colours that CSS reads as such are not asked for when their name says so."""
    texts = [_uncommented(str(source)) for source in sources]  # type: ignore[attr-defined]
    return list(dict.fromkeys(code for text in texts for code in PICTURE.findall(text)))


def background(source: str) -> str:
    """The colour that a program starts with; empty where it does not say."""
    text = _uncommented(source)
    first = FIRST_WORD.match(text)
    if first and first[1].lower() in CSS_COLOURS:
        return first[1].lower()
    wiped = WIPE.search(text)
    return wiped[1].lower() if wiped and wiped[1].lower() in CSS_COLOURS else ""


def _uncommented(source: str) -> str:
    return COMMENT.sub(lambda found: "" if found[0].startswith(";") else found[0], source)


def _ask(spec: BundleSpec, code: str) -> Program | None:
    if spec.programs is None:
        raise BundleError(ErrorCode.BAD_SPEC, "there is no site to fetch programs from")
    try:
        return spec.programs.fetch_source(code)
    except BundleError:
        raise
    except Exception as error:
        message = f"The source of ${code} could not be fetched: {error}"
        raise BundleError(ErrorCode.FETCH, message) from error
