//! Every name that a block may use without anybody having declared it.
//!
//! The words are defined by a prelude that the interpreter brings in; whatever they do to
//! the world they do by calling tools, which stand beside them here, so that a plan knows
//! what a block can call before it runs.

/// A word and what it needs.
#[derive(Debug)]
pub struct Word {
    /// The word.
    pub name: &'static str,
    /// Tools that it may call.
    pub tools: &'static [&'static str],
    /// Names of the skill that it reads.
    pub reads: &'static [&'static str],
    /// Whether what stands behind its dot is its own, and never a key of a mapping.
    pub module: bool,
}

const fn module(name: &'static str) -> Word {
    Word { name, tools: &[], reads: &[], module: true }
}

const fn function(name: &'static str, tools: &'static [&'static str]) -> Word {
    Word { name, tools, reads: &[], module: false }
}

/// Words of the prelude, without those of [`PARSERS`].
pub const WORDS: &[Word] = &[
    module("Path"),
    module("ToolError"),
    function("call_tool", &[]),
    module("date"),
    module("datetime"),
    function("emit_event", &["emit_event"]),
    module("json"),
    Word { name: "load_config", tools: &[], reads: &["config"], module: false },
    module("math"),
    module("memory"),
    module("parsers"),
    module("re"),
    function("run_skill", &[]),
    module("timedelta"),
    module("timezone"),
];

/// Text parsers: functions of the prelude by their own name and as `parsers.NAME`.
pub const PARSERS: &[&str] = &[
    "BOT_PATTERNS",
    "analyze_mr_status",
    "analyze_review_status",
    "extract_all_jira_keys",
    "extract_author_from_mr",
    "extract_billing_event_number",
    "extract_branch_from_mr",
    "extract_conflict_files",
    "extract_current_branch",
    "extract_ephemeral_namespace",
    "extract_git_sha",
    "extract_jira_key",
    "extract_json_from_output",
    "extract_mr_id_from_text",
    "extract_mr_id_from_url",
    "extract_mr_url",
    "extract_version_suffix",
    "extract_web_url",
    "filter_human_comments",
    "find_full_conflict_marker",
    "find_transition_name",
    "get_next_version",
    "is_bot_comment",
    "linkify_jira_keys",
    "linkify_mr_ids",
    "parse_alertmanager_output",
    "parse_conflict_markers",
    "parse_deploy_clowder_ref",
    "parse_error_logs",
    "parse_git_branches",
    "parse_git_conflicts",
    "parse_git_log",
    "parse_jira_issues",
    "parse_jira_status",
    "parse_kubectl_pods",
    "parse_mr_comments",
    "parse_mr_list",
    "parse_namespaces",
    "parse_pipeline_status",
    "parse_prometheus_alert",
    "parse_quay_manifest",
    "parse_stale_branches",
    "separate_mrs_by_author",
    "slugify_text",
    "split_mr_comments",
    "update_deploy_clowder_ref",
    "validate_jira_key",
];

/// Those of [`PARSERS`] that look into the configuration.
pub const CONFIGURED_PARSERS: &[&str] = &["linkify_jira_keys", "linkify_mr_ids", "separate_mrs_by_author"];

/// Methods of `memory` and the tools that each may call.
pub const MEMORY: &[(&str, &[&str])] = &[
    ("add_active_issue", &["memory_append"]),
    ("add_follow_up", &["memory_append"]),
    ("add_open_mr", &["memory_append"]),
    ("append_to_list", &["memory_append"]),
    ("check_known_issues", &["check_known_issues"]),
    ("get_active_issues", &["memory_read"]),
    ("get_follow_ups", &["memory_read"]),
    ("get_open_mrs", &["memory_read"]),
    ("get_timestamp", &[]),
    ("learn_tool_fix", &["learn_tool_fix"]),
    ("load_shared_context", &["memory_read"]),
    ("read_memory", &["memory_read"]),
    ("record_tool_failure", &["record_tool_failure"]),
    ("remove_active_issue", &["memory_remove"]),
    ("remove_from_list", &["memory_remove"]),
    ("remove_open_mr", &["memory_remove"]),
    ("save_shared_context", &["memory_update"]),
    ("update_field", &["memory_update"]),
    ("write_memory", &["memory_write"]),
];

/// Modules and built-in functions that reach out of a block, or that it does not have,
/// with what to write instead.
pub(crate) const INSTEAD: &[(&str, &str)] = &[
    ("asyncio", "make the calls in steps of their own: steps that only read run side by side"),
    ("breakpoint", "print the value, or look at the run with `aa run show`"),
    ("callable", "compare with `is not None`, or with `isinstance`"),
    ("compile", "write the code itself"),
    ("delattr", "use a mapping and `pop`"),
    ("eval", "write the code itself"),
    ("exec", "write the code itself"),
    ("exit", "end with the result, or `raise` an error"),
    ("format", "write it as in `f\"{value:.2f}\"`"),
    ("getpass", "declare the variable in the skill, `env: [USER]`, and read `env[\"USER\"]`"),
    ("glob", "list the files with a step of the tool `file_list`"),
    ("globals", "ask `'name' in dir()`, or read the name itself"),
    ("google", "call the service in a step of its own, e.g. with the tool `http_get`"),
    ("googleapiclient", "call the service in a step of its own, e.g. with the tool `http_get`"),
    ("gzip", "unpack the file in a step of its own, with a tool"),
    ("hashlib", "make the digest in a step of its own, with a tool"),
    ("httpx", "ask with a step of the tool `http_get`"),
    ("input", "ask with a step of its own: `confirm`"),
    ("issubclass", "compare with `isinstance`"),
    ("locals", "ask `'name' in dir()`, or read the name itself"),
    ("memoryview", "work on the text or the list itself"),
    ("open", "read the file with a step of the tool `file_read`, write it with `file_write`"),
    (
        "os",
        "a variable is `env[\"NAME\"]` once the skill declares `env: [NAME]`; paths are `Path`; the rest is for tools",
    ),
    ("queue", "use a list"),
    ("quit", "end with the result, or `raise` an error"),
    ("random", "a block gives the same result every time; take the choice as an input"),
    ("requests", "ask with a step of the tool `http_get`"),
    ("shutil", "move files with a step of the tool `shell`, or with a module of form `run:`"),
    ("smtplib", "send it with a step of its own, with a tool"),
    ("socket", "ask with a step of the tool `http_get`"),
    ("subprocess", "run the command in a step of its own: the tool `shell`, or a module of form `run:`"),
    ("sys", "end with the result, or `raise` an error"),
    ("tempfile", "keep the text in a variable, or write it with the tool `file_write`"),
    ("textwrap", "indent with `\"\\n\".join(\"  \" + line for line in text.splitlines())`"),
    ("threading", "make the calls in steps of their own: steps that only read run side by side"),
    ("time", "`datetime.now()` is the time of the run; to wait, use a step with `wait`"),
    ("tomllib", "read the file in a step of its own, with a tool"),
    ("urllib", "ask with a step of the tool `http_get`"),
    ("uuid", "a block gives the same result every time; take the identifier as an input"),
    ("vars", "ask `'name' in dir()`, or read the name itself"),
    ("yaml", "let a step read it: a tool with `parse: yaml`, or `memory.read_memory`"),
    ("ZoneInfo", "start from `datetime.now(timezone.utc)` and add a `timedelta`"),
    ("zoneinfo", "start from `datetime.now(timezone.utc)` and add a `timedelta`"),
    ("__import__", "write `import` with a module that is there"),
];

/// Built-in functions, types and exceptions that the interpreter has.
pub(crate) const BUILTINS: &[&str] = &[
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "BaseException",
    "Exception",
    "FileExistsError",
    "FileNotFoundError",
    "ImportError",
    "IndexError",
    "KeyError",
    "KeyboardInterrupt",
    "LookupError",
    "MemoryError",
    "ModuleNotFoundError",
    "NameError",
    "NotImplementedError",
    "OSError",
    "OverflowError",
    "PermissionError",
    "RecursionError",
    "RuntimeError",
    "StopIteration",
    "SyntaxError",
    "SystemExit",
    "TimeoutError",
    "TypeError",
    "UnicodeDecodeError",
    "ValueError",
    "ZeroDivisionError",
    "__name__",
    "abs",
    "all",
    "any",
    "bin",
    "bool",
    "bytes",
    "chr",
    "dict",
    "dir",
    "divmod",
    "enumerate",
    "filter",
    "float",
    "frozenset",
    "getattr",
    "hasattr",
    "hash",
    "hex",
    "id",
    "int",
    "isinstance",
    "iter",
    "len",
    "list",
    "map",
    "max",
    "min",
    "next",
    "object",
    "oct",
    "ord",
    "pow",
    "print",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "setattr",
    "slice",
    "sorted",
    "str",
    "sum",
    "super",
    "tuple",
    "type",
    "zip",
];

/// Exceptions that the interpreter lacks, by the nearest that it has.
pub(crate) const EXCEPTIONS: &[(&str, &str)] = &[
    ("ConnectionError", "OSError"),
    ("EnvironmentError", "OSError"),
    ("IOError", "OSError"),
    ("UnicodeError", "UnicodeDecodeError"),
];

/// Attributes of modules and types that the interpreter lacks.
pub(crate) const LACKING: &[(&str, &str, &str)] = &[
    ("Path", "cwd", "a block has no files; `run.folder` is the folder of the run"),
    ("Path", "home", "a block has no files; declare `env: [HOME]` and read `env[\"HOME\"]`"),
    ("datetime", "combine", "write `datetime(day.year, day.month, day.day, hour, minute)`"),
    ("json", "dump", "a block has no files; `json.dumps` gives the text"),
    ("json", "load", "a block has no files; `json.loads` takes a text"),
    ("re", "VERBOSE", "begin the pattern with `(?x)`"),
    ("re", "X", "begin the pattern with `(?x)`"),
    ("re", "subn", "use `re.sub`, and `len(re.findall(…))` for the number"),
    ("str", "maketrans", "use `replace`"),
];

/// Methods that the interpreter lacks, or that reach out of a block.
pub(crate) const METHODS: &[(&str, &str)] = &[
    ("astimezone", "add a `timedelta`, or start from `datetime.now(timezone.utc)`"),
    ("expanduser", "a block has no files; declare `env: [HOME]` and read `env[\"HOME\"]`"),
    ("iterdir", "list the files with a step of the tool `file_list`"),
    ("mkdir", "a block has no files; `file_write` makes the folders it needs"),
    ("read_bytes", "read the file with a step of the tool `file_read`"),
    ("read_text", "read the file with a step of the tool `file_read`"),
    ("rglob", "list the files with a step of the tool `file_list`"),
    ("translate", "use `replace`"),
    ("unlink", "remove the file with a step of its own, with a tool"),
    ("write_bytes", "write the file with a step of the tool `file_write`"),
    ("write_text", "write the file with a step of the tool `file_write`"),
];

/// The word of that name, if there is one; text parsers are words like others.
pub(crate) fn word(name: &str) -> Option<&'static Word> {
    const PARSER: &Word = &function("a text parser", &[]);
    const CONFIGURED: &Word = &Word { name: "a text parser", tools: &[], reads: &["config"], module: false };
    let reads_config = |name| CONFIGURED_PARSERS.contains(&name);
    let parser = || PARSERS.contains(&name).then_some(if reads_config(name) { CONFIGURED } else { PARSER });
    WORDS.iter().find(|word| word.name == name).or_else(parser)
}

/// The tools that a method of `memory` may call.
pub(crate) fn memory(method: &str) -> Option<&'static [&'static str]> {
    MEMORY.iter().find(|(name, _)| *name == method).map(|(_, tools)| *tools)
}

/// What to write instead of a module or function.
pub(crate) fn instead(name: &str) -> Option<&'static str> {
    INSTEAD.iter().find(|(known, _)| *known == name).map(|(_, advice)| *advice)
}
