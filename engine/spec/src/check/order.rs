//! Which step waits for which.
//!
//! A step waits for the steps it reads from and for its `needs`. Without `needs`, the
//! order of the file holds, except that reads between two writes run together: a write
//! waits for everything before it, a read for the writes before it. A step that asks,
//! waits or returns is a barrier like a write.

use std::collections::BTreeSet;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::source::Span;

/// What the order of steps depends on, of one step.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// Earlier steps that it reads from.
    pub(super) reads: BTreeSet<usize>,
    /// Whether it may read from any earlier step.
    pub(super) reads_all: bool,
    /// Earlier steps named by `needs`; `None` without `needs`.
    pub(super) needs: Option<BTreeSet<usize>>,
    /// Later steps that it reads from or needs, which cannot be.
    pub(super) later: Vec<(usize, Span)>,
    /// Whether steps after it wait for it, and it for those before it.
    pub(super) barrier: bool,
}

/// Steps that wait for each other.
pub(super) struct Cycle {
    /// One way round, the first step also last.
    pub(super) steps: Vec<usize>,
    /// All that are caught in it.
    pub(super) members: BTreeSet<usize>,
    /// Where the first of them mentions a later one.
    pub(super) span: Span,
}

/// Edges of one skill at most. A text of allowed size could otherwise ask for billions.
const MOST_EDGES: usize = 500_000;

/// What every step waits for, ascending and without what follows from the rest; `None`
/// when that would be too much.
pub(super) fn needs(drafts: &[Draft]) -> Option<Vec<Vec<usize>>> {
    let mut order = Order::default();
    let mut all: Vec<Vec<usize>> = Vec::with_capacity(drafts.len());
    let mut edges = 0;
    for (index, draft) in drafts.iter().enumerate() {
        let wanted = order.wanted(draft);
        edges += wanted.len();
        if edges > MOST_EDGES {
            return None;
        }
        let needs = reduced(wanted, &all);
        order.add(index, draft, &needs);
        all.push(needs);
    }
    Some(all)
}

/// The state of the barrier rule after some steps.
#[derive(Default)]
struct Order {
    /// Steps that no later one waits for; waiting for them is waiting for all.
    last: BTreeSet<usize>,
    /// Barriers that no later barrier waits for.
    barriers: BTreeSet<usize>,
}

impl Order {
    fn wanted(&self, draft: &Draft) -> BTreeSet<usize> {
        let mut wanted = draft.reads.clone();
        match &draft.needs {
            Some(needs) => wanted.extend(needs),
            None if draft.barrier => wanted.extend(&self.last),
            None => wanted.extend(&self.barriers),
        }
        if draft.reads_all {
            wanted.extend(&self.last);
        }
        wanted
    }

    fn add(&mut self, index: usize, draft: &Draft, needs: &[usize]) {
        for need in needs {
            self.last.remove(need);
        }
        self.last.insert(index);
        if draft.barrier {
            if draft.needs.is_none() {
                self.barriers.clear();
            }
            for need in needs {
                self.barriers.remove(need);
            }
            self.barriers.insert(index);
        }
    }
}

/// Leaves out what is waited for anyway. Looks a bounded way back, so that it may keep
/// an edge too many in a large and tangled skill; it never drops one that counts.
fn reduced(wanted: BTreeSet<usize>, all: &[Vec<usize>]) -> Vec<usize> {
    const LOOKS: usize = 256;
    let Some(first) = wanted.first().copied().filter(|_| wanted.len() > 1) else {
        return wanted.into_iter().collect();
    };
    let mut implied = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open: Vec<usize> = wanted.iter().copied().collect();
    let mut looks = 0;
    // The newest first: what it waits for is most likely among the others.
    while let Some(step) = open.pop() {
        for need in all[step].iter().copied().filter(|need| *need >= first) {
            looks += 1;
            if wanted.contains(&need) {
                implied.insert(need);
            }
            if seen.insert(need) {
                open.push(need);
            }
        }
        if looks > LOOKS {
            break;
        }
    }
    wanted.into_iter().filter(|step| !implied.contains(step)).collect()
}

/// Every group of steps that wait for each other.
pub(super) fn cycles(drafts: &[Draft]) -> Vec<Cycle> {
    if drafts.iter().all(|draft| draft.later.is_empty()) {
        return Vec::new();
    }
    let mut graph = DiGraph::<(), ()>::with_capacity(drafts.len(), drafts.len());
    for _ in drafts {
        graph.add_node(());
    }
    for (index, draft) in drafts.iter().enumerate() {
        for need in targets(draft) {
            graph.add_edge(NodeIndex::new(index), NodeIndex::new(need), ());
        }
    }
    let groups = kosaraju_scc(&graph).into_iter().filter(|group| group.len() > 1);
    let mut cycles: Vec<Cycle> = groups
        .map(|group| {
            let members: BTreeSet<usize> = group.into_iter().map(NodeIndex::index).collect();
            Cycle { steps: way_round(&members, drafts), span: first_mention(&members, drafts), members }
        })
        .collect();
    cycles.sort_by_key(|cycle| cycle.span.start);
    cycles
}

fn targets(draft: &Draft) -> impl Iterator<Item = usize> {
    let later = draft.later.iter().map(|(step, _)| *step);
    draft.reads.iter().chain(draft.needs.iter().flatten()).copied().chain(later)
}

/// The shortest way from the first member back to it.
fn way_round(members: &BTreeSet<usize>, drafts: &[Draft]) -> Vec<usize> {
    let Some(start) = members.first().copied() else { return Vec::new() };
    let mut from = std::collections::BTreeMap::new();
    let mut open = std::collections::VecDeque::from([start]);
    while let Some(step) = open.pop_front() {
        for next in targets(&drafts[step]).filter(|next| members.contains(next)) {
            if next == start {
                let mut way = vec![start, step];
                while let Some(before) =
                    way.last().filter(|last| **last != start).and_then(|last| from.get(last))
                {
                    way.push(*before);
                }
                way.reverse();
                return way;
            }
            from.entry(next).or_insert_with(|| {
                open.push_back(next);
                step
            });
        }
    }
    vec![start]
}

fn first_mention(members: &BTreeSet<usize>, drafts: &[Draft]) -> Span {
    let mentions = members.iter().flat_map(|step| &drafts[*step].later);
    let inside = mentions.filter(|(later, _)| members.contains(later));
    inside.map(|(_, span)| *span).min_by_key(|span| span.start).unwrap_or_default()
}
