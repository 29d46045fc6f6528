//! What a block is read as, and what becomes of it.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::compute::python::LONGEST;

/// The skill around a block: three values and an output called `out`.
fn reading(source: &str) -> Reading {
    let is_value = |name: &str| ["inputs", "config", "ctx", "other"].contains(&name);
    read(source, Setting { output: "out", is_value: &is_value, lenient: false }).unwrap()
}

/// The code without the line of the result.
fn code(source: &str) -> String {
    let code = reading(source).code;
    let lines: Vec<&str> = code.lines().collect();
    lines[..lines.len() - 1].join("\n")
}

/// Everything but the code, as text.
fn told(source: &str) -> String {
    let found = reading(source);
    let mut text = String::new();
    for mention in &found.mentions {
        let path: Vec<String> = mention.path.iter().map(ToString::to_string).collect();
        let marks = [(mention.guarded, " guarded"), (mention.doubtful, " doubtful")];
        let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
        writeln!(text, "reads {}{marks} at {:?}", path.join("."), &source[mention.span.clone()]).unwrap();
    }
    for (name, _) in &found.asked {
        writeln!(text, "asks {name}").unwrap();
    }
    for call in &found.calls {
        let names: Vec<&str> = call.arguments.iter().map(|argument| argument.name.as_str()).collect();
        let by = call.by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
        writeln!(text, "calls {:?} {}{by} with {names:?} open {}", call.kind, call.name, call.open).unwrap();
    }
    if !found.imports.is_empty() {
        writeln!(text, "imports {}", Vec::from_iter(found.imports).join(" ")).unwrap();
    }
    for Problem { code, severity, span, message, hint } in &found.problems {
        let at = source[span.clone()].lines().next().unwrap_or_default();
        writeln!(text, "{severity:?} {code} at {at:?}: {message} [{hint}]").unwrap();
    }
    text
}

#[test]
fn attributes_may_be_keys() {
    let changed = [
        ("x = inputs.name", "x = _attr(inputs, \"name\")"),
        ("x = a.b.c", "x = _attr(_attr(a, \"b\"), \"c\")"),
        ("x = a.b.strip()", "x = _attr(a, \"b\").strip()"),
        ("x = f().b", "x = _attr(f(), \"b\")"),
        ("x = (a).b", "x = _attr((a), \"b\")"),
        ("x = (a\n  .b)", "x = (_attr(a\n  , \"b\"))"),
        ("x = a[0].b[1].c", "x = _attr(_attr(a[0], \"b\")[1], \"c\")"),
        ("x = [i.n for i in ctx.items]", "x = [_attr(i, \"n\") for i in _attr(ctx, \"items\")]"),
        ("x = f'{a.b:>{c.d}} {a.b!r}'", "x = f'{_attr(a, \"b\"):>{_attr(c, \"d\")}} {_attr(a, \"b\")!r}'"),
        ("x = f'{a['k'].b}'", "x = f'{_attr(a['k'], \"b\")}'"),
        ("x = a.b if a.c else -a.d", "x = _attr(a, \"b\") if _attr(a, \"c\") else -_attr(a, \"d\")"),
        ("a.b = c.d", "a.b = _attr(c, \"d\")"),
        ("x = re.I | json.x", "x = re.I | json.x"),
        (
            "import datetime as d\nx = d.date.today().year",
            "import datetime as d\nx = _attr(d.date.today(), \"year\")",
        ),
        ("x = datetime.now().year", "x = _attr(datetime.now(), \"year\")"),
        ("x = type(e).__name__", "x = type(e).__name__"),
        ("class A:\n    n = 1\nx = A.n", "class A:\n    n = 1\nx = A.n"),
        ("x = f(a.b, k=c.d)(*e.f)", "x = f(_attr(a, \"b\"), k=_attr(c, \"d\"))(*_attr(e, \"f\"))"),
        ("x = lambda y=a.b: y.c", "x = lambda y=_attr(a, \"b\"): _attr(y, \"c\")"),
        (
            "def f(a: t.x = b.c) -> t.y:\n    return a.d",
            "def f(a: t.x = _attr(b, \"c\")) -> t.y:\n    return _attr(a, \"d\")",
        ),
    ];
    for (before, after) in changed {
        assert_eq!(code(before), after);
    }
}

#[test]
fn what_is_not_there_is_written_differently() {
    let changed = [
        ("x = getattr(a, 'b', 1)", "x = _getattr(a, 'b', 1)"),
        ("x = hasattr(a, 'b')", "x = _hasattr(a, 'b')"),
        ("x = next(i for i in a)", "x = next(iter(i for i in a))"),
        ("x = next((i.n for i in a), None)", "x = next(iter((_attr(i, \"n\") for i in a)), None)"),
        ("x = next(it)", "x = next(it)"),
        ("x = re.sub(p, lambda m: m.group(1), t)", "x = _re_sub(p, lambda m: m.group(1), t)"),
        ("x = re.sub(p, f, string=t, flags=re.I)", "x = _re_sub(p, f, string=t, flags=re.I)"),
        ("x = re.sub(p, 'a', t)", "x = re.sub(p, 'a', t)"),
        ("x = p.sub(lambda m: '', t.u)", "x = _re_sub(p, lambda m: '', _attr(t, \"u\"))"),
        ("x = (p).sub((lambda m: ''), t)", "x = _re_sub((p), (lambda m: ''), t)"),
        ("x = p.sub('', t)", "x = p.sub('', t)"),
        ("x = '%s' % a.b", "x = _percent('%s' , _attr(a, \"b\"))"),
        ("x = ('%s'\n '%d') % (a, b)", "x = _percent(('%s'\n '%d') , (a, b))"),
        ("x = 7 % n", "x = 7 % n"),
        ("x = text % n", "x = _percent(text , n)"),
        ("x = datetime.utcnow().year", "x = _attr(_utcnow(), \"year\")"),
        ("import datetime\nx = datetime.datetime.fromtimestamp(1)", "import datetime\nx = _fromtimestamp(1)"),
        ("x = n % 2", "x = n % 2"),
        ("x = '%d%%' % 50", "x = _percent('%d%%' , 50)"),
        ("x %= 'a'", "x = _percent(x, 'a')"),
        ("x %= 'a', 1", "x = _percent(x,( 'a', 1))"),
        ("x %= 2", "x %= 2"),
        ("x = {'a': 1} | b", "x = _merge({'a': 1} , b)"),
        ("x = {} | a | b.c", "x = _merge(_merge({} , a) , _attr(b, \"c\"))"),
        ("x = f\"{x | {'a': 1}}\"", "x = f\"{_merge(x , {'a': 1})}\""),
        ("x = {1} | a", "x = {1} | a"),
        ("x |= {'a': 1}", "x = _merge_into(x, {'a': 1})"),
        ("x |= e", "x = _merge_into(x, e)"),
        ("x |= 1", "x |= 1"),
        ("x[0] |= ({'a': y.z})", "x[0].update( ({'a': _attr(y, \"z\")}))"),
        ("x = a | b", "x = _merge(a , b)"),
        ("x = date.fromtimestamp(0)", "x = (lambda *_a: _fromtimestamp(*_a).date())(0)"),
        ("x = p.sub(up, s)", "x = _re_sub(p, up, s)"),
        ("x = p.sub('a', s)", "x = p.sub('a', s)"),
        ("del x", "x = None"),
        ("del x['a'], y", "x.pop('a'); y = None"),
        ("x = map(str.lower, a)", "x = map((lambda _x, *_a, **_k: _x.lower(*_a, **_k)), a)"),
        ("x = max(n, key=n.get)", "x = max(n, key=(lambda *_a: n.get(*_a)))"),
        ("x = str(n.count)", "x = str(_attr(n, \"count\"))"),
        ("x = max(n.count, 1)", "x = max(_attr(n, \"count\"), 1)"),
        ("x = list(map(n.get, a))", "x = list(map((lambda *_a: n.get(*_a)), a))"),
        ("a.sort(key=n.index)", "a.sort(key=(lambda *_a: n.index(*_a)))"),
        ("x = t.format_map(v)", "x = t.format(**v)"),
        ("x = t.u.format_map((v))", "x = _attr(t, \"u\").format(**(v))"),
        ("del g[1, 2], g[(1, 2)]", "g.pop((1, 2)); g.pop((1, 2))"),
        ("del (x), (y[0])", "x = None; y.pop(0)"),
        ("del 1[0]", "(1).pop(0)"),
        ("x = 'a' in dir()", "x = 'a' in _dir()"),
        ("a = 1\nx = 'a' in dir()", "a = 1\nx = 'a' in (_dir() + _bound(a=lambda: a))"),
        ("x = 'ctx' not in locals()", "x = 'ctx' not in _dir()"),
        ("x = 'memory' in globals()", "x = 'memory' in (_dir() + _bound(memory=lambda: memory))"),
        ("x = sorted(dir())", "x = sorted((_dir() + _bound(x=lambda: x)))"),
        ("def dir():\n    return []\nx = 'a' in dir()", "def dir():\n    return []\nx = 'a' in dir()"),
    ];
    for (before, after) in changed {
        assert_eq!(code(before), after);
    }
}

#[test]
fn imports_from_elsewhere_become_words_of_the_prelude() {
    let changed = [
        ("from scripts.common.parsers import parse_mr_list", "pass"),
        (
            "from scripts.common.parsers import (\n  parse_mr_list as p,\n  slugify_text,\n)",
            "p = parse_mr_list\n\n\n",
        ),
        ("from scripts.common.config_loader import load_config", "pass"),
        ("from scripts.common import parsers, memory as m", "m = memory"),
        (
            "try:\n    from server.x import y\nexcept ImportError:\n    y = None",
            "try:\n    from server.x import y\nexcept ImportError:\n    y = None",
        ),
        ("import scripts.common.memory as memory", "pass"),
        (
            "from scripts.common.memory import read_memory",
            "read_memory = lambda *_a, **_k: memory.read_memory(*_a, **_k)",
        ),
        ("from __future__ import annotations", "pass"),
        ("from datetime import datetime", "from datetime import datetime"),
        ("if a:\n    from server.utils import load_config\nb = 1", "if a:\n    pass\nb = 1"),
    ];
    for (before, after) in changed {
        assert_eq!(code(before), after, "{before}");
    }
}

#[test]
fn imported_words_are_known_by_every_name() {
    for (source, name) in [
        ("from scripts.common import memory\nx = memory.read_memory('a')", "memory"),
        ("import scripts.common.memory as mem\nx = mem.read_memory('a')", "mem"),
        ("from scripts.common import memory as m\ndef f():\n    return m.read_memory('a')", "m"),
        ("def f():\n    from scripts.common import memory\n    return memory.read_memory('a')", "memory"),
        (
            "try:\n    from scripts.common import memory\nexcept ImportError:\n    memory = None\nx = memory.read_memory('a')",
            "memory",
        ),
    ] {
        let found = reading(source);
        let calls: Vec<&str> = found.calls.iter().map(|call| call.name.as_str()).collect();
        assert_eq!(calls, ["memory_read"], "{source}");
        let handed_on = told(&format!("{source}\ny = {name}"));
        assert!(handed_on.contains("compute-callee"), "{source}: {handed_on}");
    }
    let parsers = reading("from server import parsers as p\nx = p.slugify_text('a b')");
    assert!(parsers.imports.contains("parsers.slugify_text"), "{:?}", parsers.imports);
    let dotted = "import scripts.common.memory\nx = scripts.common.memory.read_memory('a')";
    assert!(told(dotted).contains("as memory"), "{}", told(dotted));
}

#[test]
fn the_result_is_the_output_or_result() {
    let result = |source: &str| reading(source).code.lines().last().unwrap().to_owned();
    assert_eq!(result("out = 1"), "out");
    assert_eq!(result("result = 1\n"), "result");
    assert_eq!(result("result = 1\nout = 2  # both"), "out");
    assert_eq!(result("if a:\n    out = 1\nelse:\n    out = 2"), "out");
    assert_eq!(result("if a:\n    out = 1"), "_first(lambda: out)");
    assert_eq!(result("result = 1\nif a:\n    out = 1"), "_first(lambda: out, lambda: result)");
    assert_eq!(result("for result in a:\n    pass"), "_first(lambda: result)");
    assert_eq!(result("try:\n    result = f()\nexcept ValueError:\n    result = 1"), "result");
    assert_eq!(result("try:\n    result = f()\nexcept ValueError:\n    raise"), "result");
    assert_eq!(result("if not a:\n    return 1\nelse:\n    result = 2"), "result");
    assert_eq!(result("return 1"), "None");
    assert_eq!(result("def f():\n    result = 1"), "None");
    assert_eq!(reading("result = 1").code, "result = 1\nresult\n");
    assert_eq!(reading("result = 1\n").code, "result = 1\nresult\n");
}

#[test]
fn changes_of_the_skills_values_are_the_result_or_lost() {
    let is_value = |name: &str| ["out", "ctx"].contains(&name);
    let found =
        |source: &str| read(source, Setting { output: "out", is_value: &is_value, lenient: false }).unwrap();
    let result = |source: &str| found(source).code.lines().last().unwrap().to_owned();
    for changed in ["out['more'] = 6", "out.append(1)", "del out['x']", "out.a.b += 1"] {
        assert_eq!(result(changed), "out", "{changed}");
        assert_eq!(found(changed).problems, [], "{changed}");
        let lost = changed.replace("out", "ctx") + "\nresult = 1";
        let problems = found(&lost).problems;
        assert!(
            matches!(&problems[..], [Problem { code: "compute-lost-change", .. }]),
            "{lost}: {problems:?}"
        );
        assert_eq!(found(&(lost + "\nresult = ctx")).problems, []);
    }
    assert_eq!(result("return out"), "None");
    let own = "ctx = ctx or {}\nctx['a'] = 1\nx = other.pop()\nout = 1";
    assert!(found(own).problems.iter().all(|problem| problem.code != "compute-lost-change"));
}

#[test]
fn names_belong_to_the_block_or_to_the_skill() {
    insta::assert_snapshot!(told(NAMES));
}

const NAMES: &str = r#"
a = inputs.mr.id
b = inputs.get("branch", config["git"]["main"])
def f(x, y=other):
    z = x + ctx[0]
    return z + unknown + a
c = [ctx2 for ctx2 in ctx if ctx2]
other = other or {}
d = other
for i in range(3):
    late = i
e = late
if a:
    import os as os_
else:
    ctx = 1
g = ctx.field
lambda q: q + r
if (w := inputs.w) and w:
    pass
try:
    h = maybe
except NameError:
    h = None
k = [v for row in ctx.rows for v in row.cells[-1] if v.get("on")]
n += 1
secrets.TOKEN
"#;

#[test]
fn calls_are_known_beforehand() {
    insta::assert_snapshot!(told(CALLS));
}

const CALLS: &str = r#"
a = call_tool("git_log", path=inputs.path, limit=3)
b = call_tool(name="git_log", **a)
c = run_skill("build", {"mr": 1, "ref": a})
d = run_skill("build", inputs=c)
e = run_skill("build")
memory.read_memory("state/x").get("y")
memory.learn_tool_fix(tool_name="x")
memory.reed_memory("x")
emit_event("done", {})
x = load_config()
y = parse_mr_list(a) + parsers.slugify_text(a) + parsers.parse_mr_lits(a)
f = call_tool(a)
g = call_tool
h = run_skill("x" + a, {})
i = memory
j = memory.read_memory
k = call_tool("git_log", "positional")
result = 1
"#;

#[test]
fn what_cannot_be_is_told() {
    insta::assert_snapshot!(told(PROBLEMS));
}

const PROBLEMS: &str = r#"
import os, json
import subprocess
from datetime import datetime, UTC
from math import *
from . import x
from scripts.common.repo_utils import resolve_repo
try:
    import yaml
except ImportError:
    yaml = None
with open("x") as f:
    pass
match x:
    case 1:
        pass
class A(Exception):
    @property
    def b(self):
        return 1
def g():
    yield 1
del x[1:2]
Path.home()
Path("a").read_text()
json.load(f)
re.compile("a", re.VERBOSE)
for i in [1]:
    re.search("a", i)
    re.search("b", i)
eval("1")
x = 1j
dir(x)
type Y = int
z = f"{i=} {i.y=}"
globals()["x"]
"#;

#[test]
fn unknown_names_are_nothing_where_that_is_wanted() {
    let is_value = |name: &str| name == "ctx";
    let code = |source: &str| {
        read(source, Setting { output: "out", is_value: &is_value, lenient: true }).unwrap().code
    };
    assert_eq!(code("out = ghost or ctx"), "out = None or ctx\nout\n");
    assert_eq!(code("out = len(ghost.a)"), "out = len(_attr(None, \"a\"))\nout\n");
    let copes = "try:\n    out = ghost\nexcept NameError:\n    out = 1\n";
    assert_eq!(code(copes), format!("{copes}out\n"));
}

#[test]
fn what_is_fine_is_no_problem() {
    for fine in [
        "def f():\n    def g():\n        global total\n        total = 1\n    g()\nf()\nresult = total",
        "class A:\n    def __init__(self):\n        self.translate = 3\nresult = 1",
        "try:\n    result = ctx.a\nexcept (IOError, ConnectionError, UnicodeError):\n    result = 1",
    ] {
        let found = reading(fine);
        assert_eq!(found.problems, [], "{fine}");
        assert!(
            found.mentions.iter().all(|mention| mention.path[0] == Segment::Key("ctx".to_owned())),
            "{fine}"
        );
    }
    assert!(code("try:\n    pass\nexcept IOError:\n    pass").contains("except OSError:"));
}

#[test]
fn what_is_deleted_must_not_be_asked_for() {
    assert!(told("x = 1\ndel x\nresult = 'x' in dir()").contains("compute-unsupported at \"x\""));
    assert!(told("x = 1\ndel x\nresult = dir()").contains("compute-unsupported at \"x\""));
    assert!(!told("x = 1\ndel x\nresult = 'y' in dir()").contains("compute-unsupported"));
}

#[test]
fn functions_may_run_before_the_block_sets_a_name() {
    let read = told("def f():\n    return ctx.a\nresult = f()\nctx = 1");
    assert!(read.contains("reads ctx.a doubtful"), "{read}");
    assert!(!told("ctx = 1\ndef f():\n    return ctx.a\nresult = f()").contains("reads ctx"));
}

#[test]
fn a_block_that_gives_nothing_is_doubtful() {
    let warning = "Warning compute-no-result at \"x = 1\": the block gives no result [end it with `result = …` or `out = …`]\n";
    assert_eq!(told("\n\nx = 1\ny = 2\n"), warning);
    assert_eq!(told("memory.write_memory('x', {})").lines().last(), Some("imports memory"));
}

#[test]
fn nesting_ends_somewhere() {
    for (open, middle, close) in
        [("(", "1", ")"), ("-", "1", ""), ("[", "", "]"), ("", "a", ".b"), ("not ", "a", "")]
    {
        let times = (LONGEST - 10) / (open.len() + close.len());
        let source = format!("result = {}{middle}{}", open.repeat(times), close.repeat(times));
        let told = read(&source, Setting { output: "x", is_value: &|_| false, lenient: false });
        let nested =
            |found: &Reading| found.problems.iter().any(|problem| problem.message.starts_with("nested"));
        assert!(open == "(" || told.is_err() || told.is_ok_and(|found| nested(&found)), "{open}{close}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_and_stays_on_its_lines(source in PIECES) {
        let is_value = |name: &str| name == "ctx";
        if let Ok(found) = read(&source, Setting { output: "out", is_value: &is_value, lenient: false }) {
            for problem in &found.problems {
                prop_assert!(source.get(problem.span.clone()).is_some(), "{problem:?}");
            }
            if found.problems.iter().all(|problem| problem.severity == Severity::Warning) {
                let again = read(&found.code, Setting { output: "out", is_value: &is_value, lenient: false });
                prop_assert!(again.is_ok(), "{source:?} became {:?}: {again:?}", found.code);
                let lines = |text: &str| text.trim_end().lines().count();
                prop_assert!(lines(&found.code) <= lines(&source) + source.len() - source.trim_end().len() + 1);
            }
        }
    }
}

const PIECES: &str = "(x|ctx|\\.y|\\.get\\('k'\\)|\\[0\\]|\\(|\\)| = | in dir\\(\\)|'x'|\"%s\" % | \\| \\{\\}|f'\\{x\\.y\\}'|\
next\\(i for i in x\\)| \\|= \\(\\{\\}\\)|\\.format_map\\(\\(x\\)\\)|\\(x\\)\\.sub\\(\\(lambda: 1\\), x\\)|re\\.sub\\(a, b, c\\)|del |, |\n|\n    |if x:|else:|for x in ctx:|def f\\(a\\):|return |lambda: |\
import re|from scripts import parsers as p|not | and | := |1|str\\.lower|#|\\\\|é|\\*\\*|\\{|\\}|:|class A:|try:|except E:|global x){0,24}";
