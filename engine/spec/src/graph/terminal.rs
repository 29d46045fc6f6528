//! A plan as lines of text: one row per step, and a lane for every result that a later
//! step still waits for.
//!
//! ```text
//! ○ commit    tool git_show
//! ├─○ lint    tool lint
//! ├─○ test    tool test        for each
//! ● publish   tool upload      if commit.tag
//! ```
//!
//! Steps that wait for the same and are waited for by the same hang on one lane: they
//! run together. When there are more lanes than the width allows, the lanes give way to
//! words (`after a, b`).

use std::collections::{BTreeMap, BTreeSet};

use super::{Look, action_words, cut, notes, width};
use crate::plan::{SkillPlan, StepPlan};

/// Columns kept for the words beside the lanes.
const WORDS: usize = 36;
/// Columns of the longest name that still lines up the others.
const LONGEST_NAME: usize = 32;

/// The steps of a skill in at most so many columns (at least 40).
pub fn terminal(skill: &SkillPlan, columns: usize) -> String {
    let columns = columns.max(40);
    let units = units(&skill.steps);
    let rows = rows(&units, &skill.steps);
    let lanes = rows.iter().map(|row| width(&row.lanes)).max().unwrap_or_default();
    if lanes + WORDS > columns {
        return listed(skill, columns);
    }
    let names = names_width(skill);
    let mut text = String::new();
    for row in &rows {
        let mut line = row.lanes.clone();
        if let Some(step) = row.step.and_then(|index| skill.steps.get(index)) {
            line.extend(std::iter::repeat_n(' ', lanes - width(&line) + 1));
            line.push_str(&words(step, names));
        }
        text.push_str(cut(line.trim_end(), columns).trim_end());
        text.push('\n');
    }
    text
}

/// Without lanes: what a step waits for in words.
fn listed(skill: &SkillPlan, columns: usize) -> String {
    let names = names_width(skill);
    let mut text = String::new();
    for step in &skill.steps {
        let mut line = format!("{} {}", sign(step), words(step, names));
        if !step.needs.is_empty() {
            let needs: Vec<&str> = step.needs.iter().map(|need| skill.steps[*need].name.as_str()).collect();
            line = format!("{}  after {}", line.trim_end(), needs.join(", "));
        }
        text.push_str(cut(line.trim_end(), columns).trim_end());
        text.push('\n');
    }
    text
}

/// Steps that are drawn on one lane: they have the same before and after them.
struct Unit {
    steps: Vec<usize>,
    /// Units that it waits for.
    needs: BTreeSet<usize>,
    /// How many units wait for it.
    waited: usize,
}

fn units(steps: &[StepPlan]) -> Vec<Unit> {
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
    for (index, step) in steps.iter().enumerate() {
        for need in &step.needs {
            after[*need].push(index);
        }
    }
    let mut known: BTreeMap<(&[usize], &[usize]), usize> = BTreeMap::new();
    let mut units: Vec<Unit> = Vec::new();
    let mut unit_of: Vec<usize> = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let unit = *known.entry((&step.needs, &after[index])).or_insert(units.len());
        if unit == units.len() {
            let needs = step.needs.iter().map(|need| unit_of[*need]).collect();
            units.push(Unit { steps: Vec::new(), needs, waited: 0 });
        }
        units[unit].steps.push(index);
        unit_of.push(unit);
    }
    for index in 0..units.len() {
        for need in units[index].needs.clone() {
            units[need].waited += 1;
        }
    }
    units
}

struct Row {
    lanes: String,
    step: Option<usize>,
}

/// The lanes at one moment: in each, the unit whose result someone still waits for.
#[derive(Default)]
struct Lanes {
    lanes: Vec<Option<usize>>,
    /// How many are still to come that wait for a unit.
    open: BTreeMap<usize, usize>,
}

fn rows(units: &[Unit], steps: &[StepPlan]) -> Vec<Row> {
    let mut lanes = Lanes::default();
    let mut rows = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        let before = lanes.lanes.clone();
        let incoming: BTreeSet<usize> = (0..before.len())
            .filter(|lane| before[*lane].is_some_and(|held| unit.needs.contains(&held)))
            .collect();
        lanes.consume(unit);
        let own = lanes.lane_for(&incoming, &before);
        if !incoming.is_empty() {
            rows.push(Row { lanes: lanes.joints(&before, &incoming, own), step: None });
        } else if index > 0 {
            rows.push(Row { lanes: lanes.passing(&before), step: None });
        }
        lanes.lanes[own] = Some(index);
        for (place, step) in unit.steps.iter().enumerate() {
            let shape = Shape {
                hanging: unit.steps.len() > 1,
                first: place == 0 && incoming.is_empty(),
                last: place + 1 == unit.steps.len() && unit.waited == 0,
                sign: sign(&steps[*step]),
            };
            rows.push(Row { lanes: lanes.step(own, &shape), step: Some(*step) });
        }
        lanes.open.insert(index, unit.waited);
        lanes.close();
    }
    rows
}

/// How a step sits on its lane.
struct Shape {
    hanging: bool,
    first: bool,
    last: bool,
    sign: char,
}

impl Lanes {
    /// Counts the edges into a unit as drawn; lanes that nobody waits for any more end.
    fn consume(&mut self, unit: &Unit) {
        for need in &unit.needs {
            if let Some(open) = self.open.get_mut(need) {
                *open = open.saturating_sub(1);
            }
        }
        self.close();
    }

    fn close(&mut self) {
        for lane in &mut self.lanes {
            if lane.is_some_and(|held| self.open.get(&held) == Some(&0)) {
                *lane = None;
            }
        }
        while self.lanes.last() == Some(&None) {
            self.lanes.pop();
        }
    }

    /// The lane for a new unit: one that ends in it, or else one that is free.
    fn lane_for(&mut self, incoming: &BTreeSet<usize>, before: &[Option<usize>]) -> usize {
        let free = |lane: &usize| self.lanes.get(*lane).copied().flatten().is_none();
        let ending = incoming.iter().copied().find(free);
        let unused = |lane: &usize| before.get(*lane).copied().flatten().is_none();
        let end = self.lanes.len().max(before.len());
        let lane = ending.or_else(|| (0..end).find(|lane| free(lane) && unused(lane))).unwrap_or(end);
        if self.lanes.len() <= lane {
            self.lanes.resize(lane + 1, None);
        }
        lane
    }

    /// A row in which lanes run into a new one.
    fn joints(&self, before: &[Option<usize>], incoming: &BTreeSet<usize>, own: usize) -> String {
        let (first, last) = incoming
            .iter()
            .chain([&own])
            .fold((own, own), |(low, high), lane| (low.min(*lane), high.max(*lane)));
        let mut text = String::new();
        for lane in 0..before.len().max(self.lanes.len()) {
            let up = before.get(lane).copied().flatten().is_some();
            let down = lane == own || self.lanes.get(lane).copied().flatten().is_some();
            let joins = lane == own || incoming.contains(&lane);
            let (left, right) = (joins && lane > first, joins && lane < last);
            text.push(match (joins, up, down) {
                (false, true, _) => '│',
                (false, false, _) if lane > first && lane < last => '─',
                (false, false, _) => ' ',
                (true, true, true) => side(left, right, ['│', '┤', '├', '┼']),
                (true, true, false) => side(left, right, ['╵', '╯', '╰', '┴']),
                (true, false, _) => side(left, right, ['╷', '╮', '╭', '┬']),
            });
            text.push(if lane >= first && lane < last { '─' } else { ' ' });
        }
        text.trim_end().to_owned()
    }

    /// A row between two steps that have nothing to do with each other.
    fn passing(&self, before: &[Option<usize>]) -> String {
        let lane = |lane: usize| {
            before.get(lane).copied().flatten().is_some() && self.lanes.get(lane).copied().flatten().is_some()
        };
        let text: String = (0..before.len()).map(|index| if lane(index) { "│ " } else { "  " }).collect();
        text.trim_end().to_owned()
    }

    /// A row with a step in it.
    fn step(&self, own: usize, shape: &Shape) -> String {
        let mut text = String::new();
        for (lane, held) in self.lanes.iter().enumerate() {
            let beyond = lane > own && shape.hanging;
            text.push(match held {
                _ if lane == own && !shape.hanging => shape.sign,
                _ if lane == own => match (shape.first, shape.last) {
                    (true, true) => '─',
                    (true, false) => '╭',
                    (false, true) => '╰',
                    (false, false) => '├',
                },
                Some(_) => '│',
                None if beyond => '─',
                None => ' ',
            });
            text.push(if shape.hanging && lane >= own { '─' } else { ' ' });
        }
        if shape.hanging {
            text.push(shape.sign);
        }
        text.trim_end().to_owned()
    }
}

fn side(left: bool, right: bool, [none, only_left, only_right, both]: [char; 4]) -> char {
    match (left, right) {
        (false, false) => none,
        (true, false) => only_left,
        (false, true) => only_right,
        (true, true) => both,
    }
}

/// A sign for the looks of a step, one column wide.
fn sign(step: &StepPlan) -> char {
    match Look::of(step) {
        Look::Read => '○',
        Look::Write => '●',
        Look::Destructive => '▲',
        Look::Unknown => '◍',
        Look::Confirm => '◇',
        Look::Wait => '◌',
        Look::Return => '■',
    }
}

fn names_width(skill: &SkillPlan) -> usize {
    let widths = skill.steps.iter().map(|step| width(&step.name));
    widths.filter(|width| *width <= LONGEST_NAME).max().unwrap_or_default()
}

fn words(step: &StepPlan, names: usize) -> String {
    let pad = " ".repeat(names.saturating_sub(width(&step.name)));
    let mut words = format!("{}{pad}  {}", step.name, action_words(step));
    for note in notes(step) {
        words.push_str("  ");
        words.push_str(&note);
    }
    words
}
