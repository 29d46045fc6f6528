//! Ways out, and ways to take everything: each is an error, and nobody else notices.

use std::time::{Duration, Instant};

use super::*;

/// Code that reaches for something, and a part of what it is told.
const ESCAPES: &[(&str, &str)] = &[
    ("().__class__.__bases__", "AttributeError"),
    ("().__class__.__base__.__subclasses__()", "AttributeError"),
    ("(lambda: 0).__globals__", "AttributeError"),
    ("(lambda: 0).__code__", "AttributeError"),
    ("''.__class__.__mro__", "AttributeError"),
    ("'{0.__class__.__init__}'.format('')", "Error"),
    ("getattr((), '__subclasses__')", "AttributeError"),
    ("__import__('os')", "NameError"),
    ("__builtins__", "NameError"),
    ("eval('1')", "NameError"),
    ("exec('1')", "NameError"),
    ("compile('1', '', 'eval')", "NameError"),
    ("globals()", "NameError"),
    ("import subprocess", "ModuleNotFoundError"),
    ("import socket", "ModuleNotFoundError"),
    ("import ctypes", "ModuleNotFoundError"),
    ("import urllib.request", "ModuleNotFoundError"),
    ("import importlib", "ModuleNotFoundError"),
    ("import multiprocessing", "ModuleNotFoundError"),
    ("import sys\nsys.modules", "AttributeError"),
    ("import sys\nsys._getframe()", "AttributeError"),
    ("import os\nos.system('id')", "AttributeError"),
    ("import os\nos.fork()", "AttributeError"),
    ("import os\nos.kill(1, 9)", "AttributeError"),
    ("import os\nos.getenv('HOME')", "a block has no environment"),
    ("import os\nos.environ", "a block has no environment"),
    ("open('/etc/passwd').read()", "a block has no files"),
    ("open('/tmp/aa-was-here', 'w')", "a block has no files"),
    ("from pathlib import Path\nPath('/etc/passwd').read_text()", "a block has no files"),
    ("from pathlib import Path\nPath('/tmp/aa-was-here').write_text('x')", "a block has no files"),
    ("from pathlib import Path\nlist(Path('/').iterdir())", "a block has no files"),
    ("from pathlib import Path\nPath('/').exists()", "a block has no files"),
    ("from pathlib import Path\nPath('/tmp/aa-was-here').unlink()", "a block has no files"),
    ("secrets", "NameError"),
];

#[tokio::test]
async fn there_is_no_way_out() {
    for (code, told) in ESCAPES {
        let error = error(code).await;
        assert_eq!(error.kind, ErrorKind::Permanent, "{code}: {error:?}");
        assert!(error.message.contains(told), "{code}: {}", error.message);
        assert!(error.message.contains("skills/a.yaml:"), "{code}: {}", error.message);
    }
}

const LOL: &str = "a = ['lol'] * 10\nfor _ in range(12):\n    a = [a] * 10\n";

/// Code that takes too much when it runs.
fn greedy() -> Vec<(&'static str, String)> {
    let own = |(name, code): (&'static str, &str)| (name, code.to_owned());
    let mut all: Vec<_> = [
        ("text", "'x' * 10 ** 12"),
        ("list", "[0] * 10 ** 11"),
        ("doubling", "a = 'x'\nwhile True:\n    a = a + a"),
        ("doubling list", "a = [1]\nwhile True:\n    a = a + a"),
        ("dict", "{i: str(i) * 100 for i in range(10 ** 9)}"),
        ("set", "set(range(10 ** 10))"),
        ("format", "f\"{'x':>{10 ** 11}}\""),
        ("join", "','.join(['x' * 10 ** 6] * 10 ** 6)"),
        ("replace", "('a' * 10 ** 6).replace('a', 'b' * 10 ** 6)"),
        ("ljust", "'x'.ljust(10 ** 12)"),
        ("bytes", "b'x' * 10 ** 12"),
        ("power", "9 ** 9 ** 9"),
        ("shift", "1 << 10 ** 12"),
        ("squares", "x = 3\nfor _ in range(60):\n    x = x * x\nx"),
        ("digits", "len(str(7 ** 3000000)) and 1 / 0"),
        ("endless", "while True:\n    pass"),
        ("endless catch", "while True:\n    try:\n        1 / 0\n    except Exception:\n        pass"),
        ("uncaught", "def f():\n    while True:\n        try:\n            while True:\n                pass\n        except BaseException:\n            pass\nf()"),
        ("sum", "sum(range(10 ** 12))"),
        ("any", "any(x < 0 for x in range(10 ** 12))"),
        ("sort", "sorted(range(10 ** 8), key=lambda x: -x)"),
        ("regex", "import re\nre.match('(a+)+$', 'a' * 5000 + 'b') or re.match('(a|a)*$', 'a' * 5000 + 'b') or 1 / 0"),
        ("regex back", "import re\nre.match(r'(a*)*\\1b', 'a' * 3000) or 1 / 0"),
        ("regex size", "import re\nre.compile('((a{1000}){1000}){1000}') and 1 / 0"),
        ("recursion", "def f():\n    return f()\nf()"),
        ("lambda", "f = lambda g: g(g)\nf(f)"),
        ("nested list", "a = []\nfor _ in range(1000000):\n    a = [a]\na"),
        ("compare", "a = []\nb = []\nfor _ in range(100000):\n    a = [a]\n    b = [b]\na == b and 1 / 0"),
        ("json depth", "import json\njson.loads('[' * 100000)"),
    ]
    .map(own)
    .into();
    all.extend([
        ("tree of lists", format!("{LOL}a")),
        ("json of it", format!("import json\n{LOL}json.dumps(a)")),
        ("repr of it", format!("{LOL}str(a)")),
        ("argument", format!("{LOL}call_tool('git_log', a=a)")),
    ]);
    all
}

/// Code that takes too much when it is read.
fn deep() -> Vec<(&'static str, String)> {
    let ifs: Vec<String> = (0..300).map(|n| format!("{}if 1:\n", " ".repeat(n))).collect();
    vec![
        ("brackets", format!("{}{}", "[".repeat(30_000), "]".repeat(30_000))),
        ("parens", format!("{}1 / 0{}", "(".repeat(30_000), ")".repeat(30_000))),
        ("attributes", format!("'x'{}", ".a".repeat(30_000))),
        ("subscripts", format!("x = {{}}\nx{}", "[0]".repeat(20_000))),
        ("additions", format!("{}1 / 0", "1+".repeat(30_000))),
        ("nots", format!("{}missing", "not ".repeat(15_000))),
        ("lambdas", format!("({}missing)()", "lambda:".repeat(9_000))),
        ("ifs", format!("{}{}1 / 0", ifs.concat(), " ".repeat(300))),
        ("calls", format!("f{}{}", "(f".repeat(20_000), ")".repeat(20_000))),
        ("f-strings", format!("{}1 / 0{}", "f'{".repeat(150), "}'".repeat(150))),
        ("long source", "x = 1\n".repeat((10 << 20) / 6)),
    ]
}

#[tokio::test]
async fn every_bomb_ends_in_an_error_and_only_there() {
    let workers = workers(Limits { timeout: Duration::from_secs(1), ..Limits::default() });
    let before = resident();
    for (name, code) in greedy().into_iter().chain(deep()) {
        let began = Instant::now();
        let ended = workers.run(job(&code, json!({})), &mut Echo::default()).await;
        let Err(error) = ended else { panic!("{name}: {ended:?}") };
        let message: String = error.message.chars().take(150).collect();
        assert!(matches!(error.kind, ErrorKind::Permanent | ErrorKind::Timeout), "{name}: {message}");
        assert!(error.message.contains("skills/a.yaml:"), "{name}: {message}");
        assert!(!error.message.contains("was killed"), "{name}: {message}");
        assert!(began.elapsed() < Duration::from_secs(6), "{name} took {:?}", began.elapsed());
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 160 << 20, "{} MiB more than before", grown >> 20);
    assert_eq!(value("1 + 1", json!({})).await, json!(2));
}

/// Bytes of real memory that this process takes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
