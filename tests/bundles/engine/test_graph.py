"""Which files a tree's modules need, and what happens when one cannot be had."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from bundles.engine.engine import Engine
from bundles.engine.errors import BundleError, ErrorCode
from bundles.engine.files import Files
from bundles.engine.graph import Graph, Walk
from bundles.engine.modules import Workshop
from bundles.engine.shelf import Shelf
from bundles.engine.spec import Limits, SourceTree
from tests.bundles.engine.conftest import MakeTree

# Every way to name a file, and texts that only look like one.
EVERY_WAY = r"""#!/usr/bin/env node
// import './decoy/line.mjs'; export * from './decoy/line2.mjs';
/* import x from './decoy/block.mjs'; import('./decoy/block2.mjs') */
import './a/bare.mjs';
import"./a/tight.mjs";
import one from"./a/from.mjs";
import {
  two,
  three as drei,
} from
  './a/lines.mjs';
import * as all from './a/query.mjs?v=12';
import four, { five } from './b/../a/fragment.mjs#there';
export { six } from './a/again.mjs';
export * from './a/star.mjs';
export * as seven from "./a/named.mjs";
import data from './a/data.json' with { type: 'json' };
import sheet from './a/sheet.css' with { type: 'css' };
const text = "import x from './decoy/string.mjs'";
const mixed = `from './decoy/template.mjs' ${await import('./a/inside.mjs')} import('./decoy/template2.mjs')`;
const pattern = /from '.\/decoy\/regex.mjs'/;
import('./a/dynamic.mjs');
import( /* note */ './a/comment.mjs' );
import(`./a/plain-template.mjs`);
const either = one ? import('./a/yes.mjs') : import('./a/no.mjs');
const name = 'q'; import(`./glob/${name}.mjs`);
import('./a/lazy.json', { with: { type: 'json' } });
new Worker(new URL('./a/worker.mjs', import.meta.url), { type: 'module' });
new Worker('/a/started.mjs', { type: 'module' });
const picture = new URL('./a/p%20q.png', import.meta.url);
const rooted = import('/a/rooted.mjs');
import whole from 'whole'; import part from 'parts/deep/x.mjs'; import site from 'https://site.test/a/site.mjs';
const o = { import: 1, from: './decoy/property.mjs' }; o.import?.('./decoy/method.mjs');
function from(x) {} from ('./decoy/call.mjs');
const half = 8 / name / 2; // './decoy/division.mjs'
export { one, drei, all, four, data, sheet, text, mixed, pattern, either, picture, rooted, whole, part, site, half };
"""
NAMES = """
    bare tight from lines query fragment again star named inside dynamic comment plain-template yes no worker started
    rooted site
"""
DECOYS = "line line2 block block2 string template template2 regex property method call division"
WANTED = {f"a/{name}.mjs" for name in NAMES.split()} | {
    "glob/q.mjs",
    "glob/r.mjs",
    "lib/whole.mjs",
    "lib/parts/deep/x.mjs",
}
OTHERS = {"a/data.json", "a/sheet.css", "a/lazy.json", "a/p q.png"}
ALIASES = {"whole": "/lib/whole.mjs", "parts/": "lib/parts/"}


@pytest.fixture
def walk(engine: Engine, tmp_path: object) -> Callable[..., Graph]:
    def walk(tree: SourceTree, *seeds: str, minify: bool = True) -> Graph:
        files = Files(tree)
        shelf = Shelf(tree.root.parent / "modules.sqlite", 1000)
        workshop = Workshop(engine.node, shelf, files, minify)
        found = Walk(files, workshop)(seeds or ["main.mjs"])
        workshop.begin_check()
        workshop.end_check()
        return found

    return walk


Walking = Callable[..., Graph]


def refusal(walk: Walking, tree: SourceTree) -> BundleError:
    with pytest.raises(BundleError) as caught:
        walk(tree)
    return caught.value


def test_every_way_of_naming_a_file_is_found_and_nothing_else(walk: Walking, make_tree: MakeTree) -> None:
    decoys = {f"decoy/{name}.mjs": "" for name in DECOYS.split()}
    code = dict.fromkeys(WANTED, "export default 1; export const two=2,three=3,five=5,six=6;")
    files = {**decoys, **code, "a/data.json": "{}", "a/lazy.json": "[]", "a/sheet.css": "", "a/p q.png": b"\x89PNG"}
    found = walk(make_tree({**files, "main.mjs": EVERY_WAY}, aliases=ALIASES, origins=("https://site.test",)))
    assert set(found.modules) == WANTED | {"main.mjs"}
    assert {*found.texts, *found.binaries} == OTHERS
    assert found.starts == {"a/worker.mjs", "a/started.mjs"}
    assert found.warnings == []


def test_specifiers_become_keys(walk: Walking, make_tree: MakeTree) -> None:
    main = "import x from '../lib/x.mjs?y=1'; export { x }; export const lazy = () => import('./z.mjs');"
    tree = make_tree({"deep/main.mjs": main, "lib/x.mjs": "export default 1", "deep/z.mjs": ""})
    code = walk(tree, "deep/main.mjs", minify=False).modules["deep/main.mjs"].code
    assert "from 'lib/x.mjs'" in code and 'import("deep/z.mjs")' in code


def test_what_only_the_running_module_knows_is_left_to_the_page(walk: Walking, make_tree: MakeTree) -> None:
    main = "const n = 1; import(n + '.mjs'); export const u = import.meta.url, f = new URL(n, import.meta.url);"
    code = walk(make_tree({"a/main.mjs": main}), "a/main.mjs", minify=False).modules["a/main.mjs"].code
    assert "import(__pack.find(n + '.mjs',\"a/main.mjs\"))" in code
    assert code.count('__pack.meta("a/main.mjs").url') == 2


@pytest.mark.parametrize(
    "name", ['quote".mjs', "apostrophe'.mjs", "ünïcode.mjs", "文 字.mjs", "100%.mjs", "back\\slash.mjs"]
)
@pytest.mark.parametrize("quotes", ["'", '"'])
def test_odd_names_are_names(walk: Walking, make_tree: MakeTree, name: str, quotes: str) -> None:
    written = name.replace("\\", "\\\\").replace(quotes, f"\\{quotes}")
    found = walk(make_tree({"main.mjs": f"import {quotes}./{written}{quotes};", name: ""}))
    assert name in found.modules


def test_modules_may_import_each_other(walk: Walking, make_tree: MakeTree) -> None:
    a = "import { b } from './b.mjs'; export const a = () => b;"
    b = "import { a } from './a.mjs'; export const b = () => a;"
    assert set(walk(make_tree({"main.mjs": "import './a.mjs'", "a.mjs": a, "b.mjs": b})).modules) == {
        "main.mjs",
        "a.mjs",
        "b.mjs",
    }


def test_a_missing_import_tells_who_wants_it(walk: Walking, make_tree: MakeTree) -> None:
    error = refusal(walk, make_tree({"main.mjs": "import './a.mjs'", "a.mjs": "let x;\nimport y from './gone.mjs';"}))
    assert error.code is ErrorCode.MISSING_IMPORT
    assert (error.file, error.line) == ("a.mjs", 2)
    assert "'./gone.mjs'" in error.message and "a.mjs:2:" in error.message


def test_a_missing_file_that_may_never_be_asked_for_is_a_warning(walk: Walking, make_tree: MakeTree) -> None:
    main = "addEventListener('x', () => import('./gone.mjs')); new URL('./gone.png', import.meta.url);"
    warnings = walk(make_tree({"main.mjs": main})).warnings
    assert len(warnings) == 2 and all("main.mjs:1:" in warning and "gone" in warning for warning in warnings)


@pytest.mark.parametrize(
    "line",
    ["import '../up.mjs'", "import('../../up.mjs')", "export * from '/../up.mjs'", "import './a/../../up.mjs'"],
)
def test_an_import_may_not_climb_out(walk: Walking, make_tree: MakeTree, line: str) -> None:
    tree = make_tree({"main.mjs": line})
    (tree.root.parent / "up.mjs").write_text("")
    error = refusal(walk, tree)
    assert (error.code, error.file, error.line) == (ErrorCode.OUTSIDE_TREE, "main.mjs", 1)


@pytest.mark.parametrize("target", ["../up.mjs", "/etc/hostname"])
def test_a_link_may_not_lead_out(walk: Walking, make_tree: MakeTree, target: str) -> None:
    tree = make_tree({"main.mjs": "import './link.mjs'"})
    (tree.root.parent / "up.mjs").write_text("")
    (tree.root / "link.mjs").symlink_to(target)
    assert refusal(walk, tree).code is ErrorCode.OUTSIDE_TREE


def test_a_folder_that_is_a_link_may_not_lead_out(walk: Walking, make_tree: MakeTree) -> None:
    tree = make_tree({"main.mjs": "import './link/up.mjs'"})
    (tree.root.parent / "elsewhere").mkdir()
    (tree.root.parent / "elsewhere" / "up.mjs").write_text("")
    (tree.root / "link").symlink_to("../elsewhere")
    assert refusal(walk, tree).code is ErrorCode.OUTSIDE_TREE


def test_a_link_within_the_tree_is_a_file(walk: Walking, make_tree: MakeTree) -> None:
    tree = make_tree({"main.mjs": "import './link.mjs'", "real.mjs": "let x = 1"})
    (tree.root / "link.mjs").symlink_to("real.mjs")
    assert "link.mjs" in walk(tree).modules


def test_what_is_no_plain_file_is_not_waited_for(walk: Walking, make_tree: MakeTree) -> None:
    tree = make_tree({"main.mjs": "import './pipe.mjs'"})
    os.mkfifo(tree.root / "pipe.mjs")
    assert refusal(walk, tree).code is ErrorCode.MISSING_IMPORT


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("import 'https://elsewhere.test/x.mjs'", ErrorCode.FOREIGN_IMPORT),
        ("import '//elsewhere.test/x.mjs'", ErrorCode.FOREIGN_IMPORT),
        ("import 'left-pad'", ErrorCode.MISSING_IMPORT),
    ],
)
def test_what_is_not_of_the_tree_is_refused(walk: Walking, make_tree: MakeTree, line: str, code: ErrorCode) -> None:
    assert refusal(walk, make_tree({"main.mjs": line})).code is code


def test_an_import_that_carries_its_data_is_left_alone(walk: Walking, make_tree: MakeTree) -> None:
    main = "import x from 'data:text/javascript,export default 1'; export { x };"
    assert "data:text/javascript,export default 1" in walk(make_tree({"main.mjs": main})).modules["main.mjs"].code


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        ("const é = '😀';\nlet x = ;", 2, 9),
        ("import a from './a.mjs';\n\n  let 1x = 2;", 3, 8),
        ("export const s = 'never ends", 1, 18),
        ("class { }", 1, 7),
        ("export const a = 1;\n\n  let é = 1, é = 2;", 3, 14),
        ("export { nothing };", 1, 10),
        ("import { x } from './a.mjs'; x = 1; await x; return;", 1, 46),
    ],
)
def test_a_syntax_error_has_a_place(walk: Walking, make_tree: MakeTree, source: str, line: int, column: int) -> None:
    error = refusal(walk, make_tree({"main.mjs": "import './bad/é.mjs'", "bad/é.mjs": source, "bad/a.mjs": ""}))
    assert (error.code, error.file, error.line, error.column) == (ErrorCode.SYNTAX, "bad/é.mjs", line, column)
    assert error.message.startswith(f"bad/é.mjs:{line}:{column}: ")


def test_what_is_not_utf8_is_refused(walk: Walking, make_tree: MakeTree) -> None:
    error = refusal(walk, make_tree({"main.mjs": b"let x = '\xff'"}))
    assert (error.code, error.file) == (ErrorCode.UNREADABLE, "main.mjs")


def test_a_byte_order_mark_is_no_part_of_a_module(walk: Walking, make_tree: MakeTree) -> None:
    assert walk(make_tree({"main.mjs": b"\xef\xbb\xbfexport let x = 1"})).modules["main.mjs"].code[0] == "e"


@pytest.mark.parametrize("limits", [Limits(files=3), Limits(file_bytes=30), Limits(total_bytes=40)])
def test_limits_hold(walk: Walking, make_tree: MakeTree, limits: Limits) -> None:
    files = {f"m{i}.mjs": f"import './m{i + 1}.mjs'" for i in range(4)} | {"m4.mjs": "/* " + "x" * 40 + " */"}
    error = refusal(walk, make_tree({"main.mjs": "import './m0.mjs'", **files}, limits=limits))
    assert error.code is ErrorCode.TOO_LARGE


def test_a_long_chain_of_imports_is_no_trouble(walk: Walking, make_tree: MakeTree) -> None:
    chain: dict[str, str | bytes] = {f"m{i}.mjs": f"import './m{i + 1}.mjs'" for i in range(600)}
    chain |= {"m600.mjs": "", "main.mjs": "new Worker(new URL('./m0.mjs', import.meta.url))"}
    assert len(walk(make_tree(chain)).modules) == 602


# What the minifier must not do ---------------------------------------------------------------------------------------


def minified(walk: Walking, make_tree: MakeTree, source: str, name: str = "main.mjs") -> str:
    return walk(make_tree({name: source}), name).modules[name].code


def test_a_destructured_catch_keeps_its_names_apart(walk: Walking, make_tree: MakeTree) -> None:
    source = (
        "const longName = () => 7; export function go() { try { throw {} } catch ({ x = longName() }) { return x } }"
    )
    assert "longName" in minified(walk, make_tree, source)


def test_a_classic_script_keeps_its_globals(walk: Walking, make_tree: MakeTree) -> None:
    source = "var SomeLibrary = (function () { var inner = 1; return { inner: inner } })();"
    assert "SomeLibrary" in minified(walk, make_tree, source, "umd.js")
    assert "SomeLibrary" not in minified(walk, make_tree, source, "own.mjs")


def test_console_calls_stay(walk: Walking, make_tree: MakeTree) -> None:
    assert "console.log" in minified(walk, make_tree, "console.log('hello')")


def test_html_in_strings_survives(walk: Walking, make_tree: MakeTree) -> None:
    code = minified(walk, make_tree, "export const s = '</script><!--', t = `<script>`;")
    assert "<!--" in code and "script>" in code


def test_a_hashbang_stays_a_comment(walk: Walking, make_tree: MakeTree) -> None:
    code = minified(walk, make_tree, "#!/usr/bin/env node\nexport const x = 1;")
    assert code.startswith("#!/usr/bin/env node\n")
