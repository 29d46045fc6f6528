#!/usr/bin/env python3.11
"""Asks Jinja2 and CPython what the expressions and blocks of this folder come to.

    python3.11 tests/oracle/generate.py            writes expressions.json and blocks.json
    python3.11 tests/oracle/generate.py --check    fails when they would change

The tests of the crates compare what `aa` gives with these files; they run no Python.
Jinja2 and PyYAML are installed into a folder of their own under `target/`.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE.parent.parent / "target" / "oracle"
PACKAGES = ["Jinja2==3.1.6", "PyYAML==6.0.3"]
# The order of sets and the local time must not differ from one run to the next.
FIXED = {"PYTHONHASHSEED": "0", "TZ": "UTC"}


def enter_venv():
    """Goes on in the folder where Jinja2 is, and with a fixed environment."""
    python = VENV / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    if any(os.environ.get(key) != value for key, value in FIXED.items()) or Path(sys.prefix) != VENV:
        os.execve(python, [str(python), *sys.argv], {**os.environ, **FIXED})


enter_venv()
if sys.version_info[:2] != (3, 11):
    sys.exit(f"the oracle is CPython 3.11; this is {sys.version.split()[0]}")

import ast  # noqa: E402
import datetime as real  # noqa: E402
import types  # noqa: E402

import _strptime  # noqa: E402, F401  (looks at `datetime` when it is first needed)
import jinja2  # noqa: E402
import yaml  # noqa: E402


class Mapping(dict):
    """What skills take every mapping for: its keys are attributes as well."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def dressed(value):
    if isinstance(value, dict):
        return Mapping((key, dressed(item)) for key, item in value.items())
    if isinstance(value, list):
        return [dressed(item) for item in value]
    return value


def plain(value):
    """A value as `aa` writes it down."""
    if isinstance(value, jinja2.Undefined):
        return None
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): plain(item) for key, item in value.items()}
    if isinstance(value, (real.datetime, real.date, real.time)):
        return value.isoformat()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple, set, frozenset)) or hasattr(value, "__next__"):
        return [plain(item) for item in value]
    if isinstance(value, (type({}.keys()), type({}.values()), type({}.items()), map, filter, zip, range)):
        return [plain(item) for item in value]
    raise TypeError(f"a {type(value).__name__} is no JSON")


def outcome(work):
    try:
        return {"value": plain(work())}
    except Exception as error:  # whatever it is, `aa` has to fail as well
        return {"error": f"{type(error).__name__}: {error}"}


# --- Expressions -----------------------------------------------------------------------


def clock(now):
    return lambda: real.datetime.fromisoformat(now)


def environment(now):
    made = jinja2.Environment(autoescape=False, keep_trailing_newline=True, extensions=["jinja2.ext.loopcontrols"])
    builtins = [abs, all, any, bool, dict, float, int, isinstance, len, list, max, min, range, round, sorted, str, sum]
    made.globals.update({function.__name__: function for function in builtins}, now=clock(now))
    made.filters["basename"] = os.path.basename
    return made


def evaluate(made, kind, text, context, now):
    if kind == "python":
        # What is missing is None; attributes of mappings that are missing as well.
        names = {node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name)}
        scope = {name: None for name in names if name not in dir(__builtins__)}
        scope |= {"now": clock(now), "true": True, "false": False, "none": None} | forgiving(context)
        return eval(compile(text, "expression", "eval"), scope)
    if kind == "text":
        return made.from_string(text).render(context)
    value = made.compile_expression(text, undefined_to_none=False)(**context)
    return bool(value) if kind == "truth" else value


class Forgiving(dict):
    def __getattr__(self, name):
        return self.get(name)


def forgiving(value):
    if isinstance(value, dict):
        return Forgiving((key, forgiving(item)) for key, item in value.items())
    return [forgiving(item) for item in value] if isinstance(value, list) else value


def expressions(given):
    made = environment(given["now"])
    cases = []
    for group in given["groups"]:
        context = given["contexts"][group.get("context", "usual")]
        for case in group["cases"]:
            case = case if isinstance(case, dict) else {"text": case}
            kind = group["kind"]
            found = outcome(lambda: evaluate(made, kind, case["text"], json.loads(json.dumps(context)), given["now"]))
            cases.append({"group": group["name"], "kind": kind, "context": group.get("context", "usual"), **case, **found})
    return {"now": given["now"], "contexts": given["contexts"], "cases": cases}


# --- Blocks ----------------------------------------------------------------------------


def frozen(now):
    """The module `datetime` at a time that stands still."""
    moment = real.datetime.fromisoformat(now)

    class Datetime(real.datetime):
        @classmethod
        def now(cls, tz=None):
            return moment.astimezone(tz) if tz else moment.replace(tzinfo=None)

    class Date(real.date):
        @classmethod
        def today(cls):
            return moment.date()

    module = types.ModuleType("datetime")
    vars(module).update({name: item for name, item in vars(real).items() if not name.startswith("__")})
    module.datetime, module.date = Datetime, Date
    return module


def run(block, context, now):
    import json as json_module
    import math
    import re
    from pathlib import PurePosixPath

    module = frozen(now)
    sys.modules["datetime"] = module
    scope = {"re": re, "json": json_module, "math": math, "Path": PurePosixPath}
    scope |= {"datetime": module.datetime, "timedelta": real.timedelta}
    scope |= dressed(context)
    try:
        return executed(block, scope)
    finally:
        sys.modules["datetime"] = real


def executed(block, scope):
    tree = ast.parse(block["code"])
    if any(returns(statement) for statement in tree.body):
        function = ast.parse("def block():\n    pass").body[0]
        function.body = [*tree.body, ast.parse("def f():\n    return ('fell through', locals())").body[0].body[0]]
        tree = ast.fix_missing_locations(ast.Module([function], []))
        exec(compile(tree, "block", "exec"), scope)
        value = scope["block"]()
        if not (isinstance(value, tuple) and value[:1] == ("fell through",)):
            return value
        names = value[1]
    else:
        exec(compile(tree, "block", "exec"), scope)
        names = scope
    return names.get(block.get("output", "result"), names.get("result"))


def returns(node):
    """Whether a statement returns, those of functions in it apart."""
    if isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
        return False
    return isinstance(node, ast.Return) or any(returns(child) for child in ast.iter_child_nodes(node))


def blocks(given):
    cases = []
    for block in given["blocks"]:
        context = given["contexts"][block.get("context", "usual")]
        found = outcome(lambda: run(block, json.loads(json.dumps(context)), given["now"]))
        cases.append({"context": block.get("context", "usual"), "output": "result", **block, **found})
    return {"now": given["now"], "contexts": given["contexts"], "cases": cases}


# --- Files -----------------------------------------------------------------------------


def main():
    stale = []
    for name, make in [("expressions", expressions), ("blocks", blocks)]:
        source = (HERE / f"{name}.yaml").read_bytes()
        made = {"made_of": hashlib.sha256(source).hexdigest(), **make(yaml.safe_load(source))}
        text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
        target = HERE / f"{name}.json"
        if not target.exists() or target.read_text() != text:
            stale.append(target.name)
            if "--check" not in sys.argv:
                target.write_text(text)
        failed = [case for case in made["cases"] if "error" in case and not {"fails", "differs"} & case.keys()]
        print(f"{name}: {len(made['cases'])} cases, {sum('differs' in case for case in made['cases'])} differ")
        for case in failed:
            print("  the oracle fails:", case.get("text", case.get("name")), "->", case["error"])
    if stale and "--check" in sys.argv:
        sys.exit(f"not up to date: {', '.join(stale)}")


main()
