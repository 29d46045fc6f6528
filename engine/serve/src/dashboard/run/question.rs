//! What a run asks, and how it is answered.

use aa_run::course::{Course, Question, StepCourse};
use aa_run::event::{RunId, StepPath};
use aa_run::machine::{APPROVAL, APPROVE};
use maud::{Markup, html};

use super::super::form;
use super::super::{runs, show};
use super::{Look, act};

/// Questions that a page has in one place.
const MOST: usize = 3;

/// What was open when somebody came to look: above everything else that there is to see of the run.
pub(super) fn placed(look: &Look<'_>) -> Markup {
    html! { div.asked #asked data-part data-hold { (sections(look, true)) } }
}

/// What is asked since then, at the lower edge of the window: there it moves nothing.
pub(super) fn dock(look: &Look<'_>) -> Markup {
    html! {
        div.dock #dock data-part role="region" aria-label="New questions" aria-live="polite" { (sections(look, false)) }
    }
}

/// What a person has to say, of what was there when they came or of what is new.
fn sections(look: &Look<'_>, is_placed: bool) -> Markup {
    let is_here = |id: &String| look.placed.contains(id) == is_placed;
    let questions = look.course.questions().filter(|(_, question)| is_here(&question.id));
    let doubts = look.course.doubts().filter(|step| is_here(&doubt_id(&look.course, step)));
    html! {
        @for asked in questions.take(MOST) { (section(look, asked)) }
        @for step in doubts.take(MOST) { (doubt_section(look, step)) }
    }
}

fn section(look: &Look<'_>, (step, question): (&StepPath, &Question)) -> Markup {
    let back = look.address(look.view, look.step.as_ref().map(|step| step.0.as_str()));
    html! {
        section.asks #{ "asks-" (question.id) } data-keep=(question.id) aria-label={ "Question at " (step) } {
            p.of { (show::sign("asking")) strong { "Waiting for you" } " at " a href=(look.step_address(&step.0)) data-swap { code { (step) } } span.when { (show::ago(question.asked_at)) } }
            (ask(look.run(), step, question, &back))
        }
    }
}

fn doubt_section(look: &Look<'_>, step: &StepCourse) -> Markup {
    let (id, back) = (
        doubt_id(&look.course, step),
        look.address(look.view, look.step.as_ref().map(|step| step.0.as_str())),
    );
    html! {
        section.asks #(id) data-keep=(id) aria-label={ "In doubt at " (step.path) } {
            p.of { (show::sign("asking")) strong { "Waiting for you" } " at " a href=(look.step_address(&step.path.0)) data-swap { code { (step.path) } } @if let Some(at) = step.started_at { span.when { (show::ago(at)) } } }
            (doubt(look.run(), step, &back))
        }
    }
}

/// By what a step in doubt is known on pages; a path may hold what has a meaning in addresses.
pub(in super::super) fn doubt_id(course: &Course, step: &StepCourse) -> String {
    let at = course.steps.iter().position(|other| other.path == step.path).unwrap_or_default();
    let name: String =
        step.path.0.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    format!("doubt-{}-{at}-{name}", course.run.id)
}

/// A step in doubt, and how it is said how it ended.
pub(in super::super) fn doubt(run: RunId, step: &StepCourse, back: &str) -> Markup {
    act::resolve_form(run, &step.path, Some(back))
}

/// A question with all that can be answered.
pub(in super::super) fn ask(run: RunId, step: &StepPath, question: &Question, back: &str) -> Markup {
    let label = format!("message-{}", question.id);
    let is_danger = step.0 == APPROVAL && is_danger(&question.message);
    html! {
        form.answer method="post" action={ (runs::address(run)) "/answer" } aria-describedby=(label) {
            div.message #(label) { (message(step, &question.message)) }
            input type="hidden" name="step" value=(step);
            input type="hidden" name="seq" value=(question.seq);
            input type="hidden" name="next" value=(back);
            @if let Some(schema) = &question.form { (form::fields(schema, &form::Given::default(), &format!("{}-", question.id))) }
            div.options {
                @if question.form.is_some() { button.primary name="answer" value="" { "Send" } }
                @for (at, option) in question.options.iter().enumerate() {
                    button class=[class(question, (at, option), is_danger)] name="answer" value=(option) { (option) }
                }
                (unless_answered(question))
            }
        }
    }
}

/// The first answer is the usual one, unless it lets something be destroyed.
fn class(question: &Question, (at, option): (usize, &str), is_danger: bool) -> Option<&'static str> {
    match at {
        _ if is_danger && option == APPROVE => Some("danger"),
        0 if question.form.is_none() => Some("primary"),
        _ => None,
    }
}

/// What is asked; what stands as a list in it is one.
pub(super) fn message(step: &StepPath, text: &str) -> Markup {
    let (head, items) = split(text);
    html! {
        p { (show::prose(&head)) }
        @if !items.is_empty() {
            ul.would { @for item in items {
                li { @match effect(item).filter(|_| step.0 == APPROVAL) {
                    Some((what, word, does)) => { span class={ "effect does-" (word) } { (word) } " " strong { (show::prose(what)) } " " span.does { (call(does)) } },
                    None => (show::prose(item)),
                } }
            } }
        }
    }
}

/// A text, and the list at its end.
fn split(text: &str) -> (String, Vec<&str>) {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let at = lines.iter().rposition(|line| !line.starts_with("- ")).map_or(0, |at| at + 1);
    let items = lines[at..].iter().filter_map(|line| line.strip_prefix("- ")).collect();
    (lines[..at].join("\n"), items)
}

/// What would run, what it does to the world, and how it is called, of a line about that.
fn effect(item: &str) -> Option<(&str, &str, &str)> {
    let (head, does) = item.split_once("): ")?;
    let (what, word) = head.rsplit_once(" (")?;
    ["read", "write", "destructive", "unknown"].contains(&word).then_some((what, word, does))
}

/// `tool name {…}`, with the arguments as what they are.
fn call(does: &str) -> Markup {
    let (head, args) = does.find(" {").map_or((does, ""), |at| (&does[..at], &does[at + 1..]));
    let (kind, name) = head.split_once(' ').unwrap_or(("", head));
    html! { span.quiet { (kind) } " " code { (name) } @if !args.is_empty() && args != "{}" { " " code.args { (args) } } }
}

fn is_danger(text: &str) -> bool {
    let words = split(text).1.into_iter().filter_map(effect).map(|(_, word, _)| word);
    words.into_iter().any(|word| matches!(word, "destructive" | "unknown"))
}

/// What happens when nobody answers.
fn unless_answered(question: &Question) -> Markup {
    html! {
        @if let Some(until) = question.until {
            span.quiet.small { @match &question.default {
                Some(default) => { "“" (default) "” " (show::ago(until)) " when nobody answers" },
                None => { "open until " (show::exact(until)) },
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APPROVED: &str = "May `extra` run?\n- d (destructive): tool extra_destroy {\"a\":\"<b>\"}\n- if a step fails, `mend` (write): tool oc_login";

    #[test]
    fn what_is_approved_of_is_a_list_of_effects_and_calls() {
        let shown = message(&StepPath(APPROVAL.to_owned()), APPROVED).into_string();
        for part in [
            "May <code>extra</code> run?",
            "<span class=\"effect does-destructive\">destructive</span> <strong>d</strong>",
            "<code>extra_destroy</code> <code class=\"args\">{&quot;a&quot;:&quot;&lt;b&gt;&quot;}</code>",
            "<strong>if a step fails, <code>mend</code></strong>",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!shown.contains("- d"), "{shown}");
    }

    #[test]
    fn only_an_approval_of_what_may_destroy_looks_dangerous() {
        assert!(is_danger(APPROVED));
        assert!(!is_danger("May `a` run?\n- d (write): tool note {\"text\":\"x (destructive): y\"}"));
        assert!(!is_danger("go on?"));
    }

    #[test]
    fn lines_of_other_questions_stay_what_they_are() {
        let shown = message(&StepPath("gate".to_owned()), "Which?\n\n- one\n- two (write): x").into_string();
        assert!(shown.contains("<li>one</li><li>two (write): x</li>"), "{shown}");
        assert_eq!(split("a\n- b\nc").1.len(), 0);
        assert_eq!(split("- a\n- b").0, "");
    }
}
