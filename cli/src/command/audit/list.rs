//! `aa audit list`

use aa_run::audit::Kept;
use aa_run::store::AuditFilter;
use aa_spec::duration::parse_ms;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::args::Format;
use crate::args::audit::ListArgs;
use crate::context::{Context, wait};
use crate::failure::{Exit, Failure};
use crate::table::Table;
use crate::words;

/// Lists who did what.
pub(super) fn run(args: ListArgs, context: &Context<'_>) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let since = args.since.map(|text| moment(&text)).transpose()?;
    wait(async { Ok(engine.take_in_audit().await?) })?;
    let filter = AuditFilter {
        who: args.who,
        did: args.did,
        what: args.run.map(|run| format!("run {run}")),
        since,
        before: None,
        limit: Some(args.limit),
    };
    let entries = engine.audit_entries(&filter)?;
    if args.format.format == Format::Json {
        let json = serde_json::to_value(&entries).unwrap_or_default();
        context.printer.data(format_args!("{json:#}"));
        return Ok(Exit::Ok);
    }
    if entries.is_empty() {
        context.printer.say("nobody did anything");
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["ENTRY", "WHEN", "WHO", "VIA", "DID", "WHAT", "OUTCOME", "DETAIL"]);
    for Kept { seq, entry, .. } in &entries {
        table.row([
            seq.to_string(),
            entry.at.format("%F %T").to_string(),
            entry.who.clone(),
            entry.via.clone(),
            entry.did.clone(),
            entry.what.clone(),
            entry.outcome.clone(),
            detail(&entry.detail),
        ]);
    }
    table.print(context.printer);
    Ok(Exit::Ok)
}

/// `2d` ago, or a moment.
fn moment(text: &str) -> Result<DateTime<Utc>, Failure> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.to_utc());
    }
    let ago = parse_ms(text).ok().and_then(|ms| TimeDelta::try_milliseconds(ms.cast_signed()));
    ago.and_then(|ago| Utc::now().checked_sub_signed(ago)).ok_or_else(|| {
        Failure::usage(format!("`{text}` is no moment"))
            .hint("write it like `2026-11-26T14:00:00Z`, or like `2d` for two days ago")
    })
}

/// What people look for, without hashes.
fn detail(of: &Value) -> String {
    let Some(of) = of.as_object() else { return String::new() };
    let shown =
        of.iter().filter(|(key, value)| !matches!(key.as_str(), "event" | "plan") && !value.is_null());
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let parts: Vec<String> = shown.map(|(key, value)| format!("{key}={}", text(value))).collect();
    words::shortened(&parts.join(" "), 80, "…")
}
