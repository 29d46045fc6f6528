//! Every query names the tenant: all SQL of the crate is read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Tables with what somebody has made: a query of them names the tenant.
const OF_TENANTS: &[&str] = &[
    "runs",
    "workspaces",
    "chat_sessions",
    "workspace_notices",
    "memory",
    "memory_changes",
    "memory_stale",
    "passages",
];

/// Tables with parts of a run: a query of them names the run, whose number was held against the caller before.
const OF_RUNS: &[&str] = &["events", "requests"];

/// Tables of the machine, which belong to no tenant.
const OF_THE_MACHINE: &[(&str, &str)] = &[
    ("plans", "texts by their own hash, which nobody can ask for but through a run"),
    ("mistakes", "how tools are called wrongly, without values"),
    ("mistake_warnings", "as the mistakes"),
    ("heals", "what the rules of the machine did; looked at by whoever owns the server"),
    ("heal_resets", "as the heals"),
    ("mcp_servers", "which definitions of foreign tools are trusted on this machine"),
    ("mcp_tools", "as the servers"),
    ("listener_positions", "what the listeners of the machine have heard"),
    ("listener_items", "as the positions"),
    ("listener_people", "as the positions"),
    ("used_marks", "random marks that were used"),
    ("browsers", "by random marks, sealed with them; whoever comes with one passes the door"),
    ("schedules", "schedules belong to whoever owns the server"),
    ("schedule_slots", "as the schedules"),
    ("lives", "when the whole store was put back"),
    ("schedule_seen", "as the schedules"),
    ("schedule_notes", "as the schedules"),
    ("services", "as the schedules"),
    ("notices", "as the schedules"),
    ("json_each", "no table, but what a query is given"),
    ("sqlite_sequence", "the next number of a run"),
    ("sqlite_schema", "of the database itself"),
    ("audit", "who did what, for whoever owns the server"),
    ("audit_ends", "as the audit"),
    ("about", "the index of a folder's code, a database of its own"),
    ("files", "as that"),
    ("chunks", "as that"),
    ("words", "as that"),
];

/// Queries that may leave the tenant out, by what they begin with, and why.
const WITHOUT: &[(&str, &str)] = &[
    ("select (select coalesce(max(pos), 0) from events)", "how far the stream goes, for whoever listens"),
    ("select (select seq from sqlite_sequence where name = 'runs')", "the next number"),
    ("delete from workspace_notices where id <= (select max(id)", "only the newest are kept, of all"),
    ("delete from chat_sessions where last_activity < ?", "what nobody uses is forgotten, of all"),
    ("select distinct run from requests", "whose inbox has something, for the drivers of this process"),
    ("select status, count(*) from runs where ended_at is null", "figures of the whole server"),
    ("select (select count(*) from schedule_slots", "figures of the whole server"),
    ("select coalesce((select max(pos) from events), 0) >", "whether the audit has taken everything in"),
    ("select count(*) from runs", "a copy of the whole store is counted"),
    ("select count(*) from events", "a copy of the whole store is counted"),
    ("select blob from events where blob is not null", "a copy has the texts of all events"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() && !is_test {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            found.push(path);
        }
    }
}

/// The texts of a file, without those of its tests: escaped line ends and runs of blanks are one blank.
fn texts(source: &str) -> Vec<String> {
    let shipped = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    let text = Regex::new(r#"(?s)//[^\n]*|'(?:\\.|[^\\'])'|"((?:\\.|[^"\\])*)""#).unwrap();
    let blanks = Regex::new(r"(?:\\\n|\s)+").unwrap();
    let found = text.captures_iter(shipped).filter_map(|found| found.get(1));
    found.map(|text| blanks.replace_all(text.as_str(), " ").trim().to_owned()).collect()
}

/// Every statement, with the file that it is in.
fn statements() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let is_one =
        Regex::new(r"^(select|insert|update|delete|with|replace)\s.*\b(from|into|set)\b|^update ").unwrap();
    let mut all = Vec::new();
    for path in files {
        let shown = path.strip_prefix(&root).unwrap().display().to_string();
        let found = texts(&fs::read_to_string(&path).unwrap());
        all.extend(found.into_iter().filter(|text| is_one.is_match(text)).map(|text| (shown.clone(), text)));
    }
    all
}

fn tables(statement: &str) -> BTreeSet<String> {
    let named = Regex::new(r"\b(?:from|into|update|join) (?:or \w+ )?([a-z_]+)").unwrap();
    let all = named.captures_iter(statement).map(|found| found[1].to_owned());
    // `on conflict … do update set`.
    all.filter(|table| table != "set").collect()
}

/// Whether a run is reached by its number, or by what has one.
fn names_run(statement: &str) -> bool {
    let by = Regex::new(r"\brun(s\.id)? (=|in|is)|\bid = |\(run, |pos > |\brun,|r\.id = e\.run").unwrap();
    by.is_match(statement)
}

#[test]
fn every_query_names_the_tenant_or_says_why_not() {
    let machine: BTreeMap<&str, &str> = OF_THE_MACHINE.iter().copied().collect();
    let (mut problems, mut used, mut seen) = (Vec::new(), BTreeSet::new(), 0);
    for (file, statement) in statements() {
        seen += 1;
        if let Some((start, _)) = WITHOUT.iter().find(|(start, _)| statement.starts_with(start)) {
            used.insert(*start);
            continue;
        }
        for table in tables(&statement) {
            let table = table.as_str();
            let problem = if OF_TENANTS.contains(&table) {
                let by_number = table == "runs" && names_run(&statement);
                (!statement.contains("tenant") && !by_number).then_some("does not name the tenant")
            } else if OF_RUNS.contains(&table) {
                (!names_run(&statement) && !statement.contains("tenant")).then_some("does not name the run")
            } else {
                (!machine.contains_key(table)).then_some("is of a table that this test does not know")
            };
            problems.extend(problem.map(|problem| format!("{file}: {problem} (`{table}`): {statement}")));
        }
    }
    assert!(seen > 100, "only {seen} statements are found: they are not where this test looks");
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
    let idle: Vec<_> = WITHOUT.iter().filter(|(start, _)| !used.contains(start)).collect();
    assert!(idle.is_empty(), "nothing begins like this any more: {idle:?}");
}

#[test]
fn texts_are_found_as_they_are_written() {
    let source = "let a = \"select 1\n   from runs\"; // \"select 2 from runs\"\nlet b = '\"'; let c = \"say \\\"x\\\"\";\n#[cfg(test)]\nmod tests { \"select 3\" }";
    assert_eq!(texts(source), ["select 1 from runs", "say \\\"x\\\""]);
    assert_eq!(tables("insert or ignore into notices (a) select b from runs join events on x").len(), 3);
}
