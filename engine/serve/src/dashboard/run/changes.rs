//! What has changed in a run of many steps since somebody looked: the parts of its page that are not the same.

use std::collections::BTreeSet;

use aa_run::event::StepPath;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect};
use maud::{Markup, html};

use super::super::runs;
use super::super::seen::{Seen, Shown};
use super::{Look, View, log, question, steps};

/// Where it is told.
pub(super) fn address(look: &Look<'_>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("view", look.view.word());
    query.append_pair("from", &look.course.next_seq.to_string());
    query.append_pair("span", &steps::span(look).to_string());
    query.append_pair("step", look.step.as_ref().map(|step| step.0.as_str()).unwrap_or_default());
    look.keep_places(&mut query);
    format!("{}/changes?{}", runs::address(look.run()), query.finish())
}

pub(super) async fn page(seen: Seen, Path(run): Path<String>) -> Shown {
    let look = Look::read(&seen, &run).map_err(|error| seen.trouble(error))?;
    let is_same = seen.query.number("span") == Some(steps::span(&look));
    let Some(from) = seen.query.number("from").filter(|_| is_same || look.view != View::Timeline) else {
        // Every bar has another place now.
        let step = look.step.as_ref().map(|step| step.0.as_str());
        return Ok(Redirect::to(&look.address(look.view, step)).into_response());
    };
    let events = seen.visitor.engine.events(look.run(), from)?;
    let mut changed: BTreeSet<StepPath> =
        events.iter().filter_map(|event| event.body.step().cloned()).collect();
    for path in changed.clone() {
        above(&look, &path, &mut changed);
    }
    let main = html! {
        div #live data-live data-partial data-of=(look.run()) data-since=(look.since) data-from=(address(&look)) {
            (parts(&look, &changed)?)
        }
    };
    Ok(seen.page("Changes", &main))
}

/// Adds the steps that a step is part of.
fn above(look: &Look<'_>, path: &StepPath, changed: &mut BTreeSet<StepPath>) {
    let mut at = look.course.step(path).and_then(|step| step.parent.as_ref());
    while let Some(parent) = at.filter(|parent| changed.insert((*parent).clone())) {
        at = look.course.step(parent).and_then(|step| step.parent.as_ref());
    }
}

fn parts(look: &Look<'_>, changed: &BTreeSet<StepPath>) -> Shown<Markup> {
    Ok(html! {
        (look.head())
        (look.trouble()?)
        (question::placed(look))
        (steps::changed(look, changed))
        @match look.view {
            View::Log => (log(&look.seen.visitor.engine.run_log(look.run(), None)?)),
            View::Data => (look.data()),
            View::Graph | View::Timeline => {},
        }
        @if look.step.as_ref().is_some_and(|step| changed.contains(step)) { (look.detail()?) }
        (question::dock(look))
    })
}
