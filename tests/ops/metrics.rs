//! `/metrics` of the running binary, after real runs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::api::support::{CI, get, project, serve, stands, start};
use crate::mcp::wire::Served;
use crate::support::eventually;

/// What is served as plain text: families with their kind, and series with their value.
pub(super) struct Figures {
    pub(super) families: BTreeMap<String, String>,
    pub(super) series: BTreeMap<String, f64>,
}

impl Figures {
    pub(super) fn of(served: &Served) -> Self {
        let reply = served.ask("GET /metrics", &[("Accept", "text/plain")], "");
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"), "{reply:?}");
        let kinds = reply.body.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let series = reply.body.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let series = series.map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
        });
        Self {
            families: kinds.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect(),
            series: series.collect(),
        }
    }

    #[track_caller]
    fn is(&self, name: &str, value: f64) {
        let found = self.series.get(name).copied();
        assert!(found.is_some_and(|found| (found - value).abs() < 1e-9), "{name} is {found:?}, not {value}");
    }

    #[track_caller]
    fn above(&self, name: &str, least: f64) {
        assert!(self.series.get(name).is_some_and(|found| *found > least), "{name}: {:?}", self.series);
    }
}

#[test]
fn runs_steps_and_calls_are_counted() {
    let aa = project("");
    let served = serve(&aa);
    let before = Figures::of(&served);
    before.is("aa_runs_ended_total{outcome=\"completed\"}", 0.0);
    for _ in 0..3 {
        let run = start(&served, "look", &json!({"inputs": {"note": "x"}}));
        stands(&served, run, "completed");
    }
    let run = start(&served, "fail", &json!({}));
    stands(&served, run, "failed");
    let dry = start(&served, "look", &json!({"inputs": {"note": "x"}, "dry_run": true}));
    stands(&served, dry, "completed");
    let hangs = start(&served, "hang", &json!({}));
    eventually("it hangs", || Figures::of(&served).series["aa_call_places_taken"] > 0.5);
    let now = Figures::of(&served);
    now.is("aa_runs_started_total{origin=\"http\"}", 5.0);
    now.is("aa_runs_ended_total{outcome=\"completed\"}", 3.0);
    now.is("aa_runs_ended_total{outcome=\"failed\"}", 1.0);
    now.is("aa_run_duration_seconds_count{outcome=\"completed\"}", 3.0);
    now.is("aa_steps_total{kind=\"tool\",outcome=\"completed\"}", 3.0);
    now.is("aa_steps_total{kind=\"tool\",outcome=\"failed\"}", 1.0);
    now.is("aa_tool_calls_total{module=\"trace\",outcome=\"ok\"}", 3.0);
    now.is("aa_tool_calls_total{module=\"trace\",outcome=\"permanent\"}", 1.0);
    now.is("aa_tool_call_duration_seconds_count", 4.0);
    now.above("aa_call_wait_seconds_count", 4.5);
    now.is("aa_open_runs{status=\"running\"}", 1.0);
    now.is("aa_call_places_taken", 1.0);
    now.above("aa_http_requests_total{door=\"api\",status=\"2xx\"}", 5.0);
    now.above("aa_process_resident_memory_bytes", 1e6);
    now.above("aa_store_size_bytes", 1e3);
    now.is("aa_up", 1.0);
    served.ask(&format!("POST /api/runs/{hangs}/cancel"), &[], "{}");
    stands(&served, hangs, "cancelled");
    let now = Figures::of(&served);
    now.is("aa_runs_ended_total{outcome=\"cancelled\"}", 1.0);
    now.is("aa_call_places_taken", 0.0);
}

#[test]
fn questions_and_answers_are_counted() {
    let aa = project("");
    let served = serve(&aa);
    let run = start(&served, "ask", &json!({}));
    stands(&served, run, "waiting");
    let now = Figures::of(&served);
    now.is("aa_open_runs{status=\"waiting\"}", 1.0);
    now.is("aa_questions_total", 1.0);
    let answer = json!({"step": "sure", "answer": "yes"});
    assert_eq!(served.post(&format!("/api/runs/{run}/answer"), &[], &answer).status, 200);
    stands(&served, run, "completed");
    Figures::of(&served).is("aa_answers_total{by=\"person\"}", 1.0);
}

#[test]
fn whoever_has_no_key_learns_nothing() {
    let aa = project("");
    let served = serve(&aa);
    let refused = served.ask("GET /metrics", &[("Authorization", "")], "");
    assert_eq!(refused.status, 401, "{refused:?}");
    assert!(!refused.body.contains("aa_"), "{refused:?}");
    let key = format!("Bearer {CI}");
    assert_eq!(served.ask("GET /metrics", &[("Authorization", &key)], "").status, 200);
    Figures::of(&served).is("aa_http_requests_total{door=\"metrics\",status=\"401\"}", 1.0);
}

/// Nothing that people, addresses or skills are called becomes a series.
#[test]
fn there_is_an_end_of_series() {
    let aa = (0..30).fold(project(""), |aa, n| {
        aa.skill(
            &format!("s{n}"),
            &format!("name: s{n}\ndescription: S\nsteps: [{{name: n{n}, tool: trace_look}}]\n"),
        )
    });
    let served = serve(&aa);
    let run = start(&served, "s0", &json!({}));
    stands(&served, run, "completed");
    get(&served, "/nowhere/0");
    Figures::of(&served);
    let few: BTreeSet<_> = Figures::of(&served).series.into_keys().collect();
    for n in 1..30 {
        let run = start(&served, &format!("s{n}"), &json!({}));
        stands(&served, run, "completed");
        get(&served, &format!("/nowhere/{n}"));
    }
    let many: BTreeSet<_> = Figures::of(&served).series.into_keys().collect();
    assert_eq!(many.difference(&few).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(many.len() < 250, "{}", many.len());
}

#[test]
fn the_newer_format_is_for_those_who_ask() {
    let aa = project("");
    let served = serve(&aa);
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    let reply = served.ask("GET /metrics", &[("Accept", accept)], "");
    assert!(reply.header("content-type").unwrap().starts_with("application/openmetrics-text"), "{reply:?}");
    assert!(reply.body.ends_with("# EOF\n"), "{}", reply.body);
    let figures = Figures::of(&served);
    for name in figures.families.keys() {
        assert!(name.starts_with("aa_"), "{name}");
    }
    let kinds = ["counter", "gauge", "histogram"];
    assert!(figures.families.values().all(|kind| kinds.contains(&kind.as_str())), "{:?}", figures.families);
}
