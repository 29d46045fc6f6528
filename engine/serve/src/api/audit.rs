//! `/api/audit`: who did what, and whether that is still as it was written. It tells of everybody, so it is there
//! for the owner of the server and for those who are let (`audit:all`).

use aa_run::audit::{Fault, Kept, Mark};
use aa_run::event::{RunId, Time};
use aa_run::store::{AuditFilter, Audited};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Json;
use super::page::{Page, size};
use super::problem::Problem;
use super::route::{Asked, Nothing, Route, get};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/audit", "List who did what, newest first", list),
        get("/audit/verify", "Check that no entry was changed, removed, moved or cut off", verify),
    ]
}

/// Which entries.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AuditQuery")]
struct Filter {
    /// Only what they did.
    who: Option<String>,
    /// Only what begins like this, such as `run.` or `run.start`.
    did: Option<String>,
    /// Only of this run.
    run: Option<RunId>,
    /// Only of this thing, such as `schedule nightly`.
    what: Option<String>,
    /// Only what was done at this time or later.
    since: Option<Time>,
    /// Only entries after this one in the list; the page before names it as `next`.
    after: Option<u64>,
    /// At most this many (default 50).
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

async fn list(asked: Asked<Nothing, Filter>) -> Result<Json<Page<Kept>>, Problem> {
    let most = size(asked.query.limit)?;
    let wanted = asked.query;
    if wanted.run.is_some() && wanted.what.is_some() {
        return Err(Problem::of("bad-query", "`run` and `what` say the same: give one of them"));
    }
    let filter = AuditFilter {
        who: wanted.who,
        did: wanted.did,
        what: wanted.run.map(|run| format!("run {run}")).or(wanted.what),
        since: wanted.since,
        before: wanted.after,
        // One more, to know whether there are any.
        limit: Some(most + 1),
    };
    let mut items = asked.visitor.engine.recent_audit(&filter).await?;
    let more = items.len() > most as usize;
    items.truncate(most as usize);
    let next = items.last().filter(|_| more).map(|entry| entry.seq.to_string());
    Ok(Json(Page { items, next }))
}

/// What to check against.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AuditMark")]
struct Noted {
    /// An entry and its hash, as `last` had it before: nothing up to that entry is missing either.
    mark: Option<String>,
}

/// What a check has found.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditChecked")]
struct Checked {
    /// Whether everything is as it was written.
    ok: bool,
    /// What is wrong; null when nothing is.
    fault: Option<Fault>,
    /// Entries that are as they were written.
    entries: u64,
    /// The newest of them with its hash: to be noted somewhere else, and given as `mark` later.
    last: Option<String>,
    /// The last entry that was removed for its age; 0 when none was.
    removed: u64,
    /// Events of runs that are not in it yet.
    pending: u64,
}

impl From<Audited> for Checked {
    fn from(audited: Audited) -> Self {
        let Audited { fault, entries, last, removed, pending } = audited;
        let last = last.map(|mark| mark.to_string());
        Self { ok: fault.is_none(), fault, entries, last, removed, pending }
    }
}

async fn verify(asked: Asked<Nothing, Noted>) -> Result<Json<Checked>, Problem> {
    let mark = asked.query.mark.map(|text| text.parse::<Mark>()).transpose();
    let mark = mark.map_err(|why| Problem::of("bad-query", why))?;
    Ok(Json(asked.visitor.engine.verify_audit(mark).await?.into()))
}
