//! A plan as a picture that needs nothing else: readable in light and dark, by colour
//! and by shape.
//!
//! Colours for light paper are attributes, which every viewer understands; a style sheet
//! adds the rest, and other colours where the reader prefers the dark.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::layout::{Layout, layout};
use super::{Look, Marks, StepMark, action_words, cut, looks, notes, width};
use crate::plan::{Action, SkillPlan, StepPlan};

const STYLE: &str = include_str!("style.css");
const FONT: &str = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace";

/// Width of a character of the font used, in pixels.
const CHAR: f64 = 7.3;
/// Height of a line of text.
const LINE: f64 = 17.0;
/// From a box's edge to its text.
const PADDING: f64 = 12.0;
/// Between two layers; edges bend here.
const BETWEEN: f64 = 40.0;
/// Around the whole picture.
const MARGIN: f64 = 20.0;
/// Characters of one line at most.
const LONGEST: usize = 34;

/// One step's box.
struct Card<'a> {
    step: &'a StepPlan,
    look: Look,
    lines: Vec<String>,
    mark: Option<StepMark>,
    width: f64,
    height: f64,
}

/// What a picture has that is part of a page, whose style sheet it then follows.
#[expect(missing_debug_implementations, reason = "a function has no debug form")]
#[derive(Clone, Copy)]
pub struct Within<'a> {
    /// Where more is told of a step.
    pub link: &'a dyn Fn(&str) -> String,
    /// The step of which more is told already.
    pub current: Option<&'a str>,
    /// Draw these steps and nothing else, to replace those of an earlier picture.
    pub only: Option<&'a BTreeSet<String>>,
}

/// The steps of a skill as SVG, with how they stand in a run.
pub fn svg(skill: &SkillPlan, marks: &Marks) -> String {
    draw(skill, marks, None)
}

/// The same as part of a page: without a style of its own, and every step a link with an id.
pub fn svg_within(skill: &SkillPlan, marks: &Marks, within: &Within<'_>) -> String {
    draw(skill, marks, Some(within))
}

fn draw(skill: &SkillPlan, marks: &Marks, within: Option<&Within<'_>>) -> String {
    let cards: Vec<Card<'_>> =
        skill.steps.iter().map(|step| Card::new(step, marks.get(&step.name).copied())).collect();
    let widths: Vec<f64> = cards.iter().map(|card| card.width).collect();
    let needs: Vec<&[usize]> = skill.steps.iter().map(|step| step.needs.as_slice()).collect();
    let layout = layout(&widths, &needs);
    let rows = Rows::new(&cards, &layout);
    let legend = looks(skill);
    let width = layout.width.max(legend_width(&legend)) + 2.0 * MARGIN;
    let height = rows.end - BETWEEN / 2.0 + if legend.is_empty() { 0.0 } else { LINE } + 2.0 * MARGIN;
    let left = (width - layout.width) / 2.0;

    let mut picture = Picture(String::with_capacity(cards.len() * 600 + 4096));
    let only = within.and_then(|within| within.only);
    picture.begin(skill, (width, height), within.is_some());
    for edge in layout.edges.iter().filter(|_| only.is_none()) {
        picture.edge(&edge_path(edge, &layout, &rows, &cards, left));
    }
    for (index, card) in cards.iter().enumerate() {
        if only.is_some_and(|only| !only.contains(&card.step.name)) {
            continue;
        }
        let row = &rows.all[layout.layer[index]];
        let place = (left + layout.x[index], row.top + (row.height - card.height) / 2.0);
        picture.step(card, place, within);
    }
    if only.is_none() {
        picture.legend(&legend, height - MARGIN);
    }
    picture.0.push_str("</svg>\n");
    picture.0
}

/// Top and height of every layer.
struct Rows {
    all: Vec<Row>,
    /// Bottom of the last one.
    end: f64,
}

struct Row {
    top: f64,
    height: f64,
}

impl Rows {
    fn new(cards: &[Card<'_>], layout: &Layout) -> Self {
        let mut heights = vec![0.0_f64; layout.layers];
        for (card, layer) in cards.iter().zip(&layout.layer) {
            heights[*layer] = heights[*layer].max(card.height);
        }
        let mut top = MARGIN;
        let all = heights
            .into_iter()
            .map(|height| {
                let row = Row { top, height };
                top += height + BETWEEN;
                row
            })
            .collect();
        Self { all, end: top }
    }
}

impl<'a> Card<'a> {
    fn new(step: &'a StepPlan, mark: Option<StepMark>) -> Self {
        let mut lines = vec![cut(&step.name, LONGEST), cut(&action_words(step), LONGEST)];
        let notes = notes(step);
        if !notes.is_empty() {
            lines.push(cut(&notes.join(" · "), LONGEST));
        }
        let look = Look::of(step);
        let columns = lines.iter().map(|line| width(line)).max().unwrap_or_default();
        let slant = if matches!(look, Look::Confirm | Look::Destructive) { PADDING } else { 0.0 };
        Self {
            step,
            look,
            mark,
            width: pixels(columns) + 2.0 * (PADDING + slant),
            height: pixels_of_lines(lines.len()) + PADDING,
            lines,
        }
    }

    /// The outline around the middle of its top, by its looks.
    fn outline(&self, x: f64, top: f64) -> String {
        let (left, right) = (x - self.width / 2.0, x + self.width / 2.0);
        let (bottom, middle) = (top + self.height, top + self.height / 2.0);
        let rounded = |radius: f64| {
            format!(
                r#"<rect x="{left:.1}" y="{top:.1}" width="{:.1}" height="{:.1}" rx="{radius:.1}"/>"#,
                self.width, self.height
            )
        };
        match self.look {
            Look::Read => rounded(10.0),
            Look::Write | Look::Unknown => rounded(2.0),
            Look::Wait => rounded(self.height / 2.0),
            Look::Return => {
                let inner = format!(
                    r#"<rect class="inner" fill="none" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" rx="{:.1}"/>"#,
                    left + 4.0,
                    top + 4.0,
                    self.width - 8.0,
                    self.height - 8.0,
                    self.height / 2.0 - 4.0
                );
                rounded(self.height / 2.0) + &inner
            }
            Look::Confirm => {
                let cut = PADDING;
                format!(
                    r#"<path d="M{:.1} {top:.1}H{:.1}L{right:.1} {middle:.1}L{1:.1} {bottom:.1}H{0:.1}L{left:.1} {middle:.1}Z"/>"#,
                    left + cut,
                    right - cut
                )
            }
            Look::Destructive => {
                let cut = 9.0;
                format!(
                    r#"<path d="M{:.1} {top:.1}H{:.1}L{right:.1} {:.1}V{:.1}L{1:.1} {bottom:.1}H{0:.1}L{left:.1} {3:.1}V{2:.1}Z"/>"#,
                    left + cut,
                    right - cut,
                    top + cut,
                    bottom - cut
                )
            }
        }
    }
}

/// The picture as far as it is drawn.
struct Picture(String);

impl Picture {
    /// Writing into a `String` cannot fail.
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = self.0.write_fmt(text);
    }

    fn begin(&mut self, skill: &SkillPlan, (width, height): (f64, f64), is_within: bool) {
        let (name, description) = (escape(&skill.name), escape(&skill.description));
        // What is a picture as a whole has no parts that could be links.
        let role = if is_within { "group" } else { "img" };
        self.put(format_args!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" class="aa-graph" role="{role}" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" font-family="{FONT}" font-size="12" text-anchor="middle">"#
        ));
        self.put(format_args!("\n<title>{name}</title>\n<desc>{description}</desc>\n"));
        if !is_within {
            self.put(format_args!("<style>\n{STYLE}</style>\n"));
        }
        self.0.push_str(concat!(
            r##"<defs><marker id="aa-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" "##,
            r##"orient="auto"><path class="arrow" fill="#9aa3b2" d="M0 0L8 4L0 8Z"/></marker></defs>"##,
            "\n",
            r##"<rect class="paper" width="100%" height="100%" fill="#ffffff"/>"##,
            "\n"
        ));
    }

    fn edge(&mut self, path: &str) {
        self.put(format_args!(
            r##"<path class="edge" fill="none" stroke="#9aa3b2" stroke-width="1.4" marker-end="url(#aa-arrow)" d="{path}"/>"##
        ));
        self.0.push('\n');
    }

    /// A step's box; within a page a link to more of it.
    fn step(&mut self, card: &Card<'_>, (x, top): (f64, f64), within: Option<&Within<'_>>) {
        let Some(within) = within else { return self.card(card, x, top) };
        let name = &card.step.name;
        let current = if within.current == Some(name) { r#" aria-current="true""# } else { "" };
        let (link, name) = (escape(&(within.link)(name)), escape(name));
        self.put(format_args!(r#"<a id="g-{name}" href="{link}"{current} data-part="">"#));
        self.card(card, x, top);
        self.0.push_str("</a>\n");
    }

    fn card(&mut self, card: &Card<'_>, x: f64, top: f64) {
        let state = card.mark.map(|mark| format!(" {}", mark_word(mark))).unwrap_or_default();
        let name = escape(&card.step.name);
        let (word, colours) = (card.look.word(), colours(card.look));
        self.put(format_args!(r#"<g class="step {word}{state}" {colours} data-step="{name}">"#));
        self.put(format_args!("<title>{}</title>{}", escape(&tooltip(card)), card.outline(x, top)));
        if matches!(card.step.action, Action::Skill { .. }) {
            let (left, right, bottom) =
                (x - card.width / 2.0 + 5.0, x + card.width / 2.0 - 5.0, top + card.height);
            self.put(format_args!(
                r#"<path class="sides" d="M{left:.1} {top:.1}V{bottom:.1}M{right:.1} {top:.1}V{bottom:.1}"/>"#
            ));
        }
        for (index, line) in card.lines.iter().enumerate() {
            let class = ["name", "action", "notes"][index.min(2)];
            let y = top + PADDING / 2.0 + pixels_of_lines(index + 1) - 4.5;
            let ink = if index == 0 { "#1f2430" } else { "#5b6472" };
            self.text(class, ink, (x, y), line);
        }
        if let Some(mark) = card.mark {
            let (x, y) = (x + card.width / 2.0 - 2.0, top + 2.0);
            let colour = mark_colour(mark);
            self.put(format_args!(
                r##"<circle class="mark" cx="{x:.1}" cy="{y:.1}" r="8" fill="{colour}" stroke="#ffffff"/>"##
            ));
            self.text("sign", "#ffffff", (x, y + 4.0), mark_sign(mark));
        }
        self.0.push_str("</g>\n");
    }

    fn text(&mut self, class: &str, ink: &str, (x, y): (f64, f64), text: &str) {
        let text = escape(text);
        self.put(format_args!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" fill="{ink}" stroke="none">{text}</text>"#
        ));
    }

    /// The words for the shapes, in a row.
    fn legend(&mut self, looks: &[Look], y: f64) {
        let mut x = MARGIN;
        for look in looks {
            let (word, colours) = (look.word(), colours(*look));
            let radius = if matches!(look, Look::Read | Look::Wait | Look::Return) { 5 } else { 0 };
            let top = y - 10.0;
            self.put(format_args!(
                r#"<g class="step {word}" {colours}><rect x="{x:.1}" y="{top:.1}" width="12" height="12" rx="{radius}"/>"#
            ));
            self.text("legend", "#5b6472", (x + 18.0 + pixels(word.len()) / 2.0, y), word);
            self.0.push_str("</g>\n");
            x += legend_step(*look);
        }
    }
}

/// A curve from the bottom of one step to the top of another, through the layers between.
fn edge_path(
    edge: &super::layout::Edge,
    layout: &Layout,
    rows: &Rows,
    cards: &[Card<'_>],
    left: f64,
) -> String {
    let bounds = |step: usize| {
        let row = &rows.all[layout.layer[step]];
        let top = row.top + (row.height - cards[step].height) / 2.0;
        (top, top + cards[step].height)
    };
    let (mut x, mut y) = (left + layout.x[edge.from], bounds(edge.from).1);
    let mut path = format!("M{x:.1} {y:.1}");
    let mut bend = |next_x: f64, next_y: f64, x: &mut f64, y: &mut f64| {
        let half = (next_y - *y) / 2.0;
        let _ =
            write!(path, "C{x:.1} {:.1} {next_x:.1} {:.1} {next_x:.1} {next_y:.1}", *y + half, next_y - half);
        (*x, *y) = (next_x, next_y);
    };
    for (offset, via) in edge.via.iter().enumerate() {
        let row = &rows.all[layout.layer[edge.from] + 1 + offset];
        bend(left + via, row.top, &mut x, &mut y);
        bend(left + via, row.top + row.height, &mut x, &mut y);
    }
    bend(left + layout.x[edge.to], bounds(edge.to).0 - 1.0, &mut x, &mut y);
    path
}

fn tooltip(card: &Card<'_>) -> String {
    let mut text = format!("{}: {}", card.step.name, action_words(card.step));
    for line in
        [card.step.description.clone()].into_iter().filter(|line| !line.is_empty()).chain(notes(card.step))
    {
        text.push('\n');
        text.push_str(&line);
    }
    if let Some(mark) = card.mark {
        text.push('\n');
        text.push_str(mark_word(mark));
    }
    text
}

fn mark_word(mark: StepMark) -> &'static str {
    match mark {
        StepMark::Running => "running",
        StepMark::Asking => "asking",
        StepMark::Completed => "completed",
        StepMark::Failed => "failed",
        StepMark::Skipped => "skipped",
        StepMark::Cancelled => "cancelled",
        StepMark::Unknown => "unsure",
    }
}

fn mark_colour(mark: StepMark) -> &'static str {
    match mark {
        StepMark::Running => "#2f6fdd",
        StepMark::Asking => "#7e3af2",
        StepMark::Completed => "#2f855a",
        StepMark::Failed => "#c53030",
        StepMark::Skipped | StepMark::Cancelled => "#6b7280",
        StepMark::Unknown => "#b7791f",
    }
}

/// Colours of a look on light paper.
fn colours(look: Look) -> &'static str {
    match look {
        Look::Read => r##"fill="#e8f1fd" stroke="#2f6fdd""##,
        Look::Write => r##"fill="#fff3d6" stroke="#b7791f""##,
        Look::Destructive => r##"fill="#fde4e1" stroke="#c53030""##,
        Look::Unknown | Look::Wait => r##"fill="#f1f1f4" stroke="#6b7280""##,
        Look::Confirm => r##"fill="#f2e8fd" stroke="#7e3af2""##,
        Look::Return => r##"fill="#e3f6ea" stroke="#2f855a""##,
    }
}

fn mark_sign(mark: StepMark) -> &'static str {
    match mark {
        StepMark::Running => "…",
        StepMark::Asking | StepMark::Unknown => "?",
        StepMark::Completed => "✓",
        StepMark::Failed => "✗",
        StepMark::Skipped => "–",
        StepMark::Cancelled => "■",
    }
}

fn legend_width(looks: &[Look]) -> f64 {
    looks.iter().copied().map(legend_step).sum()
}

fn legend_step(look: Look) -> f64 {
    pixels(look.word().len()) + 36.0
}

#[expect(clippy::cast_precision_loss, reason = "lines are cut to a few dozen columns")]
fn pixels(columns: usize) -> f64 {
    columns as f64 * CHAR
}

#[expect(clippy::cast_precision_loss, reason = "a box has three lines at most")]
fn pixels_of_lines(lines: usize) -> f64 {
    lines as f64 * LINE
}

/// Text as XML; what XML cannot hold becomes U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() || matches!(u32::from(c), 0xFDD0..=0xFDEF | 0xFFFE | 0xFFFF) => {
                escaped.push('\u{FFFD}');
            }
            c => escaped.push(c),
        }
    }
    escaped
}
