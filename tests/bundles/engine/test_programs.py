"""KidLisp bundles: programs that name each other, paintings, and sites that do not answer."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from bundles.engine.engine import Engine
from bundles.engine.errors import BundleError, ErrorCode
from bundles.engine.programs import background, named, picture_codes
from bundles.engine.spec import BundleSpec, Limits, Picture, Program, Progress, SourceTree
from tests.bundles.engine.conftest import NOW, MakeTree
from tests.bundles.engine.test_bundle import Parts


@dataclass
class Site:
    programs: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, Picture] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    broken: tuple[str, ...] = ()
    author: str = "@ada"

    def fetch_source(self, code: str) -> Program | None:
        self.asked.append(code)
        if code in self.broken:
            raise ConnectionError("no route to the site")
        return Program(self.programs[code], self.author, "u123") if code in self.programs else None

    def fetch_image(self, code: str) -> Picture | None:
        self.asked.append(f"#{code}")
        if code in self.broken:
            raise ConnectionError("no route to the site")
        return self.pictures.get(code)


class Endless(Site):
    """Every program names a new one."""

    def fetch_source(self, code: str) -> Program | None:
        self.asked.append(code)
        return Program(f"$next{len(self.asked)}")


@pytest.fixture
def tree(make_tree: MakeTree) -> SourceTree:
    return make_tree({}, program_module="main.mjs", limits=Limits(programs=10, program_bytes=2000))


def program(code: str, site: Site, **fields: object) -> BundleSpec:
    return BundleSpec(NOW, code=code, programs=site, **fields)  # type: ignore[arg-type]


def refusal(engine: Engine, tree: SourceTree, site: Site, code: str = "roz") -> BundleError:
    with pytest.raises(BundleError) as caught:
        engine.bundle(program(code, site), tree)
    return caught.value


def test_programs_are_gathered_breadth_first_and_once(engine: Engine, tree: SourceTree) -> None:
    site = Site({"roz": "($tide) ($Bloom)", "tide": "$ebb $roz", "bloom": "$ebb", "ebb": "$roz ; $comment"})
    made = engine.bundle(program("$roz", site), tree)
    assert site.asked == ["roz", "tide", "bloom", "ebb"]
    assert made.dep_count == 3
    piece = Parts(made.html).part("piece")
    assert set(piece["files"]) == {f"pieces/{code}.lisp" for code in ("roz", "tide", "bloom", "ebb")}
    assert piece["globals"]["objktKidlispCodes"] == piece["globals"]["acPREFILL_CODE_CACHE"] == site.programs


def test_what_a_program_bundle_tells(engine: Engine, tree: SourceTree) -> None:
    made = engine.bundle(program("roz", Site({"roz": "wipe navy"}), version="abc1234"), tree)
    assert made.filename == "$roz-ada-2026.2.13.21.5.9.007.lisp.html"
    assert (made.source_code, made.author_handle, made.user_code, made.dep_count) == ("wipe navy", "ada", "u123", 0)
    assert made.pack_date == "February 13, 2026 at 1:05:09 PM"
    facts = Parts(made.html).part("facts")
    assert facts["build"] == {
        "author": "ada",
        "packTime": 1771016709007,
        "gitCommit": "abc1234",
        "gitIsDirty": False,
        "fileCount": 2,
        "filename": made.filename,
    }


def test_the_names_that_the_runtime_looks_at(engine: Engine, tree: SourceTree) -> None:
    piece = Parts(engine.bundle(program("roz", Site({"roz": "wipe navy"}), density=2), tree).html).part("piece")
    assert {name: value for name, value in piece["globals"].items() if name.isupper() or name[:2] == "ac"} == {
        "acPACK_MODE": True,
        "acKEEP_MODE": True,
        "acSTARTING_PIECE": "$roz",
        "acPACK_PIECE": "$roz",
        "acPACK_DENSITY": 2,
        "acPACK_COLOPHON": {"piece": {"name": "$roz", "sourceCode": "wipe navy", "isKidLisp": True}},
        "acKIDLISP_SOURCE": "wipe navy",
        "acPREFILL_CODE_CACHE": {"roz": "wipe navy"},
        "acPAINTING_CODE_MAP": {},
        "EMBEDDED_KIDLISP_SOURCE": "wipe navy",
        "EMBEDDED_KIDLISP_PIECE": "roz",
        "KIDLISP_SUPPRESS_SNAPSHOT_LOGS": True,
    }
    assert "background: navy" in piece["style"]


def test_a_program_without_an_author_is_anonymous(engine: Engine, tree: SourceTree) -> None:
    made = engine.bundle(program("roz", Site({"roz": "ink red"}, author="")), tree)
    assert made.author_handle == "anon" and made.filename.startswith("$roz-anon-")


@pytest.mark.parametrize("author", ["@../../etc", "@a\r\nSet-Cookie: x", '@"><script>'])
def test_a_hostile_author_names_no_other_file(engine: Engine, tree: SourceTree, author: str) -> None:
    made = engine.bundle(program("roz", Site({"roz": ""}, author=author)), tree)
    assert not set(made.filename) & set('/\\"<>\r\n ')


def test_the_main_program_has_to_be_there(engine: Engine, tree: SourceTree) -> None:
    assert refusal(engine, tree, Site()).code is ErrorCode.NOT_FOUND


def test_a_price_is_no_program(engine: Engine, tree: SourceTree) -> None:
    made = engine.bundle(program("roz", Site({"roz": 'write "only $20"'})), tree)
    assert made.dep_count == 0 and any("$20" in warning for warning in made.warnings)


@pytest.mark.parametrize("code", ["roz", "tide"])
def test_a_site_that_does_not_answer_may_be_asked_again(engine: Engine, tree: SourceTree, code: str) -> None:
    error = refusal(engine, tree, Site({"roz": "$tide"}, broken=(code,)))
    assert error.code is ErrorCode.FETCH and error.retry
    assert f"${code}" in error.message and "no route" in error.message


def test_an_endless_chain_has_an_end(engine: Engine, tree: SourceTree) -> None:
    site = Endless()
    assert refusal(engine, tree, site).code is ErrorCode.TOO_LARGE
    assert len(site.asked) <= 11


def test_programs_may_not_be_too_large(engine: Engine, tree: SourceTree) -> None:
    assert refusal(engine, tree, Site({"roz": "$tide", "tide": "x" * 3000})).code is ErrorCode.TOO_LARGE


def test_a_program_may_hold_anything(engine: Engine, tree: SourceTree) -> None:
    source = "</script><script>alert(1)</script><!-- \u2028 \\u003c ' \" `${x}` é 😀"
    parts = Parts(engine.bundle(program("roz", Site({"roz": source})), tree).html)
    assert len(parts.scripts) == 4
    assert parts.part("piece")["globals"]["acKIDLISP_SOURCE"] == source
    assert "<script>alert" not in parts.part("piece")["body"]


def test_paintings_are_embedded(engine: Engine, tree: SourceTree) -> None:
    site = Site({"roz": "paste #abc #abc #zz9 #f00 #abcd $tide", "tide": "stamp #q1q"}, broken=("zz9",))
    site.pictures = {"abc": Picture(b"\x89PNG1", "@ada", "2025.1.1"), "q1q": Picture(b"\x89PNG2")}
    told: list[Progress] = []
    made = engine.bundle(program("roz", site), tree, told.append)
    assert [code for code in site.asked if code[0] == "#"] == ["#abc", "#zz9", "#f00", "#q1q"]
    piece = Parts(made.html).part("piece")
    assert piece["files"]["paintings/abc.png"] == {"binary": True, "content": "iVBORzE=", "type": "png"}
    assert piece["globals"]["acPAINTING_CODE_MAP"]["abc"] == {"handle": "@ada", "slug": "2025.1.1"}
    stages = [progress.stage for progress in told if progress.stage not in ("discover", "minify", "fonts")]
    assert [stage for stage in stages if stage != "cache-hit"] == [
        "fetch",
        "deps",
        "paintings",
        "generate",
        "compress",
    ]
    assert any("#zz9" in warning for warning in made.warnings)


def test_no_paintings_no_stage(engine: Engine, tree: SourceTree) -> None:
    told: list[Progress] = []
    engine.core(tree)
    engine.bundle(program("roz", Site({"roz": "ink red"})), tree, told.append)
    assert [progress.stage for progress in told] == ["fetch", "deps", "cache-hit", "generate", "compress"]


@pytest.mark.parametrize(
    ("source", "colour"),
    [
        ("navy\nink red", "navy"),
        ("(wipe crimson)", "crimson"),
        ("; wipe red\nwipe gold\nline 0 0 1 1", "gold"),
        ("wipe 24 8 36", ""),
        ("ink red", ""),
        ("wipe red;}body{x", "red"),
        ("wipe red}body{x", ""),
        ("", ""),
    ],
)
def test_the_background_is_what_a_program_starts_with(source: str, colour: str) -> None:
    assert background(source) == colour


def test_what_counts_as_a_name() -> None:
    assert named('($a-b_1) $C "$d" ; $e\n$f') == ["a-b_1", "c", "d", "f"]
    assert picture_codes(["#abc #ab #abcd #A1b ; #zzz", "#abc #x9x"]) == ["abc", "A1b", "x9x"]
