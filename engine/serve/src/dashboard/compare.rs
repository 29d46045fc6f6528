//! `/ui/runs/RUN/compare`: a run held against an earlier one, at first the last that went well.

use aa_run::course::{Comparison, StepEnd, StepPair, ValueChange};
use aa_run::event::RunId;
use aa_run::store::{RunFilter, RunSummary};
use axum::extract::Path;
use maud::{Markup, html};

use super::seen::{Seen, Shown};
use super::{runs, show};
use crate::api::problem::Problem;

/// Earlier runs that are offered.
const OTHERS: u32 = 20;

pub(super) async fn page(seen: Seen, Path(run): Path<String>) -> Shown {
    let engine = &seen.visitor.engine;
    let run = engine.run(RunId(run.parse().unwrap_or(0))).map_err(|error| seen.trouble(error))?;
    let good = engine.last_good_run(run.id).map_err(|error| seen.trouble(error))?;
    let filter = RunFilter {
        skill: Some(run.skill.clone()),
        before: Some(run.id),
        limit: Some(OTHERS),
        ..RunFilter::default()
    };
    let others = engine.runs(&filter)?;
    let wanted = wanted(&seen, run.id).map_err(|problem| seen.trouble(problem))?;
    let with = wanted.or(good).or_else(|| others.first().map(|other| other.id));
    let compared = match with {
        Some(with) => Some(engine.compare(with, run.id).map_err(|error| seen.trouble(error))?),
        None => None,
    };
    let main = html! {
        p.crumbs { a href="/ui/runs" { "Runs" } " / " a href=(runs::address(run.id)) { "#" (run.id) } " / compare" }
        h1 { (run.skill) @if let Some(with) = with { ": run #" (with) " and run #" (run.id) } }
        (choice(&run, &others, with, good))
        @match &compared {
            Some(compared) => (shown(compared)),
            None => (show::empty("There is no earlier run of it.", &html! { "Later runs can be compared with this one: open one of them." })),
        }
    };
    Ok(seen.page(&format!("Compare #{}", run.id), &main))
}

/// The run that was asked for. What changed is told from the earlier to the later one, so it has to be one of these.
fn wanted(seen: &Seen, run: RunId) -> Result<Option<RunId>, Problem> {
    let with = seen.query.run("with")?;
    if let Some(later) = with.filter(|with| *with >= run) {
        let detail = format!("run {run} is compared with earlier runs, and run {later} is none");
        return Err(Problem::of("bad-query", detail)
            .hint("choose one of the earlier runs on the page without `with`"));
    }
    Ok(with)
}

fn choice(run: &RunSummary, others: &[RunSummary], with: Option<RunId>, good: Option<RunId>) -> Markup {
    html! {
        @if !others.is_empty() {
            form.filters method="get" action={ (runs::address(run.id)) "/compare" } {
                label.wide { span { "With the earlier run" } select name="with" {
                    @for other in others {
                        option value=(other.id) selected[with == Some(other.id)] {
                            "#" (other.id) ", " (other.standing()) @if good == Some(other.id) { " (the last that went well)" }
                        }
                    }
                } }
                button type="submit" { "Compare" }
            }
        }
    }
}

fn shown(compared: &Comparison) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Both runs" { table.list.diff {
            thead { tr { td {} th scope="col" { a href=(runs::address(compared.run.a)) { "Run #" (compared.run.a) } } th scope="col" { a href=(runs::address(compared.run.b)) { "Run #" (compared.run.b) } } } }
            tbody {
                tr { th scope="row" { "Status" } td { (show::badge(&compared.status.a)) } td { (show::badge(&compared.status.b)) } }
                tr { th scope="row" { "Took" } td.number { (show::duration(compared.duration_ms.a)) } td.number { (show::duration(compared.duration_ms.b)) } }
                tr class=[(compared.plan.a != compared.plan.b).then_some("differs")] { th scope="row" { "Plan" } td { code { (short(&compared.plan.a)) } } td { code { (short(&compared.plan.b)) } } }
            }
        } }
        (values("Inputs", compared, &compared.inputs))
        (steps(compared))
        (values("Outputs", compared, &compared.outputs))
    }
}

fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

fn values(title: &str, compared: &Comparison, changes: &[ValueChange]) -> Markup {
    html! {
        section.card aria-label=(title) {
            h2 { (title) }
            @if changes.is_empty() { p.quiet { "They are the same." } } @else {
                div.scroll tabindex="0" role="region" aria-label={ (title) " that differ" } { table.list.diff {
                    thead { tr { th scope="col" { "Name" } (both(compared)) } }
                    tbody { @for change in changes { tr.differs { th scope="row" { (change.name) } td { (show::value(&change.a)) } td { (show::value(&change.b)) } } } }
                } }
            }
        }
    }
}

/// Which column is of which run; the earlier one comes first.
fn both(compared: &Comparison) -> Markup {
    html! { th scope="col" { "Before, in #" (compared.run.a) } th scope="col" { "After, in #" (compared.run.b) } }
}

fn steps(compared: &Comparison) -> Markup {
    let differs = |pair: &StepPair| match (&pair.a, &pair.b) {
        (Some(a), Some(b)) => a.status != b.status || a.attempts != b.attempts || a.error != b.error,
        (None, None) => false,
        _ => true,
    };
    html! {
        section.card aria-label="Steps" {
            h2 { "Steps" }
            div.scroll tabindex="0" role="region" aria-label="Steps of both" { table.list.diff {
                thead { tr { th scope="col" { "Step" } (both(compared)) } }
                tbody { @for pair in &compared.steps {
                    tr class=[differs(pair).then_some("differs")] { th scope="row" { (pair.step) } td { (end(pair.a.as_ref())) } td { (end(pair.b.as_ref())) } }
                } }
            } }
        }
    }
}

fn end(end: Option<&StepEnd>) -> Markup {
    let Some(end) = end else { return html! { span.quiet { "did not run" } } };
    html! {
        (show::badge(show::step_word(end.status))) " "
        @if let Some(ms) = end.duration_ms.filter(|ms| *ms > 0) { span.number.small { (show::duration(ms)) } }
        @if end.attempts > 1 { span.quiet.small { " " (end.attempts) " attempts" } }
        @if let Some(error) = &end.error { div.wrong.small { (show::prose(&aa_spec::template::seal::show_text(&error.message))) } }
        @if !end.reason.is_empty() { div.quiet.small { (show::prose(&end.reason)) } }
    }
}
