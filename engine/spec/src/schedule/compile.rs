//! What a schedule means, and everything that is wrong with it.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::compiled::no_inputs;
use super::{
    CatchUp, Compiled, Cron, Either, Notified, Overlap, Patterns, Poll, PollPlan, RetryDelays, Schedule,
    ScheduleRetry, Trigger, Webhook, WebhookPlan, Zone, moment,
};
use crate::diagnostic::Diagnostic;
use crate::name;
use crate::source::{Source, Span};
use crate::template::{Expression, SyntaxError, Template};
use crate::yaml::{Node, Spanned};

/// A poll that does not say how often it asks, does so after this time.
const POLL: &str = "5m";
/// A webhook's time of sending may be so far from now.
const TOLERANCE_MS: u64 = 5 * 60_000;
/// The shortest interval.
const SHORTEST_MS: u64 = 1000;
/// The header that most senders use.
const SIGNATURE: &str = "X-Hub-Signature-256";

/// What a schedule is compiled with.
pub(super) struct Compiler<'a> {
    pub(super) source: &'a Source,
    pub(super) patterns: &'a Patterns,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Compiles a schedule of a name. `skill` is the one that it stands in, if it stands in one; `zone` is
/// that of schedules that name none.
///
/// # Errors
/// Everything that is wrong with it.
pub fn compile(
    named: (&Spanned<String>, &Schedule),
    skill: Option<&str>,
    (source, zone): (&Source, &Zone),
) -> Result<Compiled, Vec<Diagnostic>> {
    compile_sharing(named, skill, (source, zone, &Patterns::default()))
}

/// Compiles one of many schedules.
///
/// # Errors
/// Those of [`compile`].
pub fn compile_sharing(
    (name, written): (&Spanned<String>, &Schedule),
    skill: Option<&str>,
    (source, zone, patterns): (&Source, &Zone, &Patterns),
) -> Result<Compiled, Vec<Diagnostic>> {
    let mut compiler = Compiler { source, patterns, diagnostics: Vec::new() };
    let compiled = compiler.schedule(name, written, skill, zone);
    match compiled {
        Some(compiled) if compiler.diagnostics.is_empty() => Ok(compiled),
        _ => Err(compiler.diagnostics),
    }
}

/// The schedules that a skill has, each with its whole name.
pub fn names<'a>(
    skill: &'a Spanned<String>,
    of: &'a super::OfSkill,
) -> impl Iterator<Item = (Spanned<String>, &'a Schedule)> {
    let all = match of {
        Either::List(all) => all.as_slice(),
        Either::Map(one) => std::slice::from_ref(&**one),
    };
    all.iter().map(|schedule| match &schedule.name {
        Some(own) => {
            let value = format!("{}.{}", name::fold(&skill.value), own.value);
            (Spanned { value, span: own.span }, schedule)
        }
        None => (skill.clone(), schedule),
    })
}

impl Compiler<'_> {
    fn schedule(
        &mut self,
        name: &Spanned<String>,
        written: &Schedule,
        skill: Option<&str>,
        zone: &Zone,
    ) -> Option<Compiled> {
        self.name(name);
        let skill = self.skill(name, written, skill);
        let zone = self.zone(written, zone);
        let trigger = self.trigger(name, written, zone.as_ref().unwrap_or(&Zone::UTC));
        let inputs = self.inputs(written);
        let jitter_ms = self.jitter(written, trigger.as_ref());
        let deadline_ms = self.optional_duration(written.deadline.as_ref());
        let timeout_ms = self.optional_duration(written.timeout.as_ref());
        let catch_up = self.catch_up(written);
        let retry = written.retry.as_ref().map(|retry| self.retry(retry));
        self.stray(written);
        let text = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.value.clone());
        Some(Compiled {
            name: name::fold(&name.value),
            skill: name::fold(&skill?),
            description: text(&written.description).unwrap_or_default(),
            trigger: trigger?,
            zone: zone?,
            names_zone: written.timezone.is_some(),
            inputs: inputs?,
            persona: text(&written.persona),
            overlap: overlap(written),
            catch_up,
            jitter_ms,
            retry,
            deadline_ms,
            timeout_ms,
            notify: written.notify.as_ref().map(|written| Box::new(notified(written))),
            enabled: written.enabled.as_ref().is_none_or(|enabled| enabled.value),
        })
    }

    fn name(&mut self, name: &Spanned<String>) {
        if !name.value.split('.').all(name::is_valid) {
            let message = format!("`{}` cannot be the name of a schedule", name.value);
            let hint = "a name is a letter, then letters, digits, `_` and `-`";
            self.report("bad-name", name.span, message, hint);
        }
    }

    fn skill(&mut self, name: &Spanned<String>, written: &Schedule, own: Option<&str>) -> Option<String> {
        match (own, &written.skill) {
            (Some(_), Some(other)) => {
                let message = "a schedule in a skill is for that skill";
                self.report("stray-key", other.span, message, "leave `skill` out");
                None
            }
            (Some(own), None) => Some(own.to_owned()),
            (None, Some(skill)) => Some(skill.value.clone()),
            (None, None) => {
                let message = format!("schedule `{}` needs the key `skill`", name.value);
                self.report("missing-key", name.span, message, "name the skill that it runs");
                None
            }
        }
    }

    fn zone(&mut self, written: &Schedule, usual: &Zone) -> Option<Zone> {
        let Some(name) = &written.timezone else { return Some(usual.clone()) };
        self.named_zone(name)
    }

    /// The zone of a name, which is reported when there is none.
    pub(super) fn named_zone(&mut self, name: &Spanned<String>) -> Option<Zone> {
        let near = match Zone::parse(&name.value) {
            Ok(zone) => return Some(zone),
            Err(near) => near,
        };
        let hint = near.map_or_else(
            || "it is a name of the IANA database, e.g. `Europe/Berlin`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        self.report("bad-zone", name.span, format!("there is no time zone `{}`", name.value), hint);
        None
    }

    fn trigger(&mut self, name: &Spanned<String>, written: &Schedule, zone: &Zone) -> Option<Trigger> {
        let kinds: [(&str, Option<Span>); 5] = [
            ("cron", written.cron.as_ref().map(|text| text.span)),
            ("every", written.every.as_ref().map(|text| text.span)),
            ("at", written.at.as_ref().map(|text| text.span)),
            ("poll", written.poll.as_ref().map(|poll| poll.tool.span)),
            ("webhook", written.webhook.as_ref().map(|webhook| webhook.secret.span)),
        ];
        let given: Vec<_> = kinds.iter().filter(|(_, span)| span.is_some()).collect();
        if let [(first, _), (second, span), ..] = given[..] {
            let message = format!("schedule `{}` has both `{first}` and `{second}`", name.value);
            let hint = "make two schedules of it";
            self.report("schedule-trigger", span.unwrap_or(name.span), message, hint);
            return None;
        }
        if let Some(text) = &written.cron {
            return self.cron(text);
        }
        if let Some(text) = &written.every {
            return self.every(text, written.anchor.as_ref(), zone);
        }
        if let Some(text) = &written.at {
            return self.moment(text, zone).map(Trigger::At);
        }
        if let Some(poll) = &written.poll {
            return self.poll(poll).map(|poll| Trigger::Poll(Box::new(poll)));
        }
        if let Some(webhook) = &written.webhook {
            return self.webhook(webhook).map(|webhook| Trigger::Webhook(Box::new(webhook)));
        }
        let message = format!("nothing says when schedule `{}` runs", name.value);
        self.report(
            "schedule-trigger",
            name.span,
            message,
            "write `cron`, `every`, `at`, `poll` or `webhook`",
        );
        None
    }

    fn cron(&mut self, text: &Spanned<String>) -> Option<Trigger> {
        if let Some(known) = self.patterns.get(text.value.trim()) {
            return Some(Trigger::Cron(known));
        }
        match Cron::parse(&text.value) {
            Ok(cron) if cron.is_ever_due() => Some(Trigger::Cron(self.patterns.same(cron))),
            Ok(_) => {
                let message = format!("`{}` is never due: there is no such day", text.value);
                self.report("never-due", text.span, message, "look at the fields of day and month");
                None
            }
            Err((message, hint)) => {
                self.report("bad-cron", text.span, message, hint);
                None
            }
        }
    }

    fn every(
        &mut self,
        text: &Spanned<String>,
        anchor: Option<&Spanned<String>>,
        zone: &Zone,
    ) -> Option<Trigger> {
        let every_ms = self.interval(text);
        let midnight = chrono::NaiveDateTime::default();
        let anchor = match anchor {
            Some(text) => self.moment(text, zone),
            None => Some(zone.first(midnight)),
        };
        Some(Trigger::Every { every_ms: every_ms?, anchor: anchor? })
    }

    fn interval(&mut self, text: &Spanned<String>) -> Option<u64> {
        let ms = self.duration(text)?;
        if ms < SHORTEST_MS {
            let message = format!("`{}` is too short an interval", text.value);
            self.report("bad-interval", text.span, message, "a second is the shortest");
            return None;
        }
        Some(ms)
    }

    fn moment(&mut self, text: &Spanned<String>, zone: &Zone) -> Option<DateTime<Utc>> {
        match moment(&text.value, zone) {
            Ok(moment) => Some(moment),
            Err(message) => {
                let hint = "without an offset at its end it is what clocks show in the `timezone`";
                self.report("bad-moment", text.span, message, hint);
                None
            }
        }
    }

    fn poll(&mut self, poll: &Poll) -> Option<PollPlan> {
        let usual = Spanned { value: POLL.to_owned(), span: poll.tool.span };
        let every_ms = self.interval(poll.every.as_ref().unwrap_or(&usual));
        let args = match &poll.args {
            Some(node) => self.template(node, &[]),
            None => Some(no_inputs()),
        };
        let whole = Spanned { value: "result".to_owned(), span: poll.tool.span };
        let condition = self.expression(poll.condition.as_ref().unwrap_or(&whole), &["result"]);
        let key = self.expression(poll.key.as_ref().unwrap_or(&whole), &["result"]);
        let tool = name::fold(&poll.tool.value);
        Some(PollPlan { tool, args: args?, every_ms: every_ms?, condition: condition?, key: key? })
    }

    fn webhook(&mut self, webhook: &Webhook) -> Option<WebhookPlan> {
        let secret = secret(&webhook.secret.value);
        if secret.is_none() {
            // The text itself is not shown: it may be the key.
            let hint = "write `\"{{ secrets.NAME }}\"`, and under `secrets:` where it comes from";
            self.report("plain-key", webhook.secret.span, "the key of a webhook must be a secret", hint);
        }
        if let (Some(tolerance), None) = (&webhook.tolerance, &webhook.timestamp) {
            let message = "`tolerance` does nothing without `timestamp`";
            self.report("stray-key", tolerance.span, message, "name the header of the time of sending");
        }
        let tolerance_ms = match &webhook.tolerance {
            Some(text) => self.duration(text),
            None => Some(TOLERANCE_MS),
        };
        let condition = webhook.condition.as_ref().map(|text| self.expression(text, &["body", "headers"]));
        let headers = [&webhook.header, &webhook.timestamp, &webhook.delivery];
        headers.into_iter().flatten().for_each(|header| self.header(header));
        let lower = |header: &Option<Spanned<String>>| {
            header.as_ref().map(|header| header.value.to_ascii_lowercase())
        };
        Some(WebhookPlan {
            secret: secret?.to_owned(),
            header: lower(&webhook.header).unwrap_or_else(|| SIGNATURE.to_ascii_lowercase()),
            timestamp: lower(&webhook.timestamp),
            tolerance_ms: tolerance_ms?,
            delivery: lower(&webhook.delivery),
            condition: match condition {
                Some(condition) => Some(condition?),
                None => None,
            },
        })
    }

    fn header(&mut self, header: &Spanned<String>) {
        let good = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        if header.value.is_empty() || !header.value.chars().all(good) {
            let message = format!("`{}` cannot be the name of a header", header.value);
            self.report("bad-name", header.span, message, "letters, digits and `-`, e.g. `X-Signature`");
        }
    }

    fn inputs(&mut self, written: &Schedule) -> Option<Template> {
        let known: &[&str] = match (&written.poll, &written.webhook) {
            (Some(_), _) => &["due", "result"],
            (_, Some(_)) => &["due", "body", "headers"],
            _ => &["due"],
        };
        let mut inputs = Map::new();
        let mut good = true;
        for (name, node) in &written.inputs {
            good &= self.template(node, known).is_some();
            inputs.insert(name.clone(), node.to_json());
        }
        Template::parse(&Value::Object(inputs)).ok().filter(|_| good)
    }

    fn jitter(&mut self, written: &Schedule, trigger: Option<&Trigger>) -> u64 {
        let Some(text) = &written.jitter else { return 0 };
        if trigger.is_some_and(|trigger| !trigger.is_timed()) {
            let message = "`jitter` does nothing here: nobody knows in advance when this is due";
            self.report("stray-key", text.span, message, "leave it out");
        }
        self.duration(text).unwrap_or(0)
    }

    fn catch_up(&mut self, written: &Schedule) -> CatchUp {
        let usual = CatchUp::default();
        let Some(catch_up) = &written.catch_up else { return usual };
        let window = catch_up.window.as_ref().and_then(|text| self.duration(text));
        let runs = catch_up.runs.as_ref().map_or(usual.runs, |choice| choice.value);
        CatchUp { window_ms: window.unwrap_or(usual.window_ms), runs }
    }

    fn retry(&mut self, retry: &ScheduleRetry) -> RetryDelays {
        let delay_ms = self.optional_duration(retry.delay.as_ref()).unwrap_or(60_000);
        let max_delay_ms = self.optional_duration(retry.max_delay.as_ref()).unwrap_or(3_600_000);
        if !(2..=20).contains(&retry.attempts.value) {
            // What is less than one was read as one, and told before.
            let few = retry.attempts.value < 2;
            let message =
                if few { "this is no `retry`: nothing is tried again" } else { "a `retry` tries too often" };
            self.report("bad-retry", retry.attempts.span, message, "from 2 to 20; the first run counts");
        }
        RetryDelays { attempts: retry.attempts.value, delay_ms, max_delay_ms: max_delay_ms.max(delay_ms) }
    }

    /// Keys that would be without effect.
    fn stray(&mut self, written: &Schedule) {
        if let (Some(anchor), None) = (&written.anchor, &written.every) {
            let message = "`anchor` does nothing without `every`";
            self.report("stray-key", anchor.span, message, "leave it out");
        }
    }

    fn optional_duration(&mut self, text: Option<&Spanned<String>>) -> Option<u64> {
        text.and_then(|text| self.duration(text))
    }

    fn duration(&mut self, text: &Spanned<String>) -> Option<u64> {
        match crate::duration::parse_ms(&text.value) {
            Ok(ms) => Some(ms),
            Err(message) => {
                self.report("bad-duration", text.span, message, "");
                None
            }
        }
    }

    fn expression(&mut self, text: &Spanned<String>, known: &[&str]) -> Option<Expression> {
        match Expression::parse(&text.value) {
            Ok(expression) if expression.is_python() => {
                self.report("bad-expression", text.span, crate::tool::recipe::PYTHON, "");
                None
            }
            Ok(expression) => {
                let paths = expression.references();
                self.known_only(paths.iter().map(String::as_str), text.span, known).then_some(expression)
            }
            Err(error) => self.syntax("bad-expression", error, text.span),
        }
    }

    fn template(&mut self, node: &Node, known: &[&str]) -> Option<Template> {
        match Template::parse(&node.to_json()) {
            Ok(template) if template.has_python() => {
                self.report("bad-template", node.span, crate::tool::recipe::PYTHON, "");
                None
            }
            Ok(template) => {
                let paths = template.references();
                self.known_only(paths.iter().map(String::as_str), node.span, known).then_some(template)
            }
            Err(error) => self.syntax("bad-template", error, node.span),
        }
    }

    fn syntax<T>(&mut self, code: &'static str, error: SyntaxError, span: Span) -> Option<T> {
        self.report(code, span, error.message, error.hint);
        None
    }

    fn known_only<'p>(&mut self, paths: impl Iterator<Item = &'p str>, span: Span, known: &[&str]) -> bool {
        let mut good = true;
        for path in paths {
            let (root, field) = path.split_once('.').unwrap_or((path, ""));
            if root == "due" && known.contains(&root) && !field.is_empty() {
                good = false;
                let message = format!("`due` is a time as text, and has no `{field}`");
                self.report("unknown-field", span, message, "`{{ due }}` is like `2026-03-01T02:30:00Z`");
                continue;
            }
            if known.contains(&root) || root == "today" {
                continue;
            }
            good = false;
            let hint = match known {
                [] => "only constants, `now()` and `today` are known here".to_owned(),
                known => format!("known: {}", name::list(known)),
            };
            self.report("unknown-reference", span, format!("`{path}` is not known here"), hint);
        }
        good
    }

    pub(super) fn report(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.diagnostics.push(Diagnostic::error(code, self.source, span, message).hint(hint));
    }
}

/// Times come again, news do not.
fn overlap(written: &Schedule) -> Overlap {
    let is_news = written.poll.is_some() || written.webhook.is_some();
    let usual = if is_news { Overlap::Queue } else { Overlap::Skip };
    written.overlap.as_ref().map_or(usual, |choice| choice.value)
}

/// The secret that a text is, if it is nothing else.
pub(crate) fn secret(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    inner.trim().strip_prefix("secrets.").filter(|name| name::is_valid(name))
}

fn notified(written: &super::NotifyWritten) -> Notified {
    let texts = |texts: &[Spanned<String>]| texts.iter().map(|text| text.value.clone()).collect::<Vec<_>>();
    match written {
        Either::List(all) => {
            let all = texts(all);
            Notified { failure: all.clone(), deadline: all.clone(), waiting: all, success: Vec::new() }
        }
        Either::Map(each) => Notified {
            failure: texts(&each.failure),
            deadline: texts(&each.deadline),
            waiting: texts(&each.waiting),
            success: texts(&each.success),
        },
    }
}
