//! Places for the steps of a plan: layers by longest path, few crossings, straight lines.
//!
//! The classic four passes for layered graphs: rank by longest path; let edges that span
//! several layers pass through cells of their own; order each layer by the barycentre of
//! its neighbours; then move every layer as close to its neighbours as the widths allow.

/// Where everything goes, in the units of the widths given.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// Layer of every step, from the top.
    pub(super) layer: Vec<usize>,
    /// Middle of every step.
    pub(super) x: Vec<f64>,
    /// Every edge, and its middles in the layers it passes, from its start to its end.
    pub(super) edges: Vec<Edge>,
    /// Number of layers.
    pub(super) layers: usize,
    /// From the left of the leftmost step to the right of the rightmost.
    pub(super) width: f64,
}

#[derive(Debug)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    /// One for every layer strictly between the two; none when it is drawn straight.
    pub(super) via: Vec<f64>,
}

/// Space between neighbours in a layer.
const GAP: f64 = 24.0;
/// Width of an edge on its way through a layer.
const LANE: f64 = 10.0;
/// With more cells than this, long edges are drawn straight.
const MOST_CELLS: usize = 30_000;
/// Passes over all layers, down and up again.
const SWEEPS: usize = 6;

/// Lays out steps of some widths, each with the earlier steps that it waits for.
pub(super) fn layout(widths: &[f64], needs: &[&[usize]]) -> Layout {
    let layer = ranks(needs);
    let layers = layer.iter().max().map_or(0, |last| last + 1);
    let mut grid = Grid::new(widths, needs, &layer, layers);
    grid.order();
    grid.place();
    let left = |cell: usize| grid.x[cell] - grid.width[cell] / 2.0;
    let start = (0..widths.len()).map(left).fold(f64::INFINITY, f64::min);
    let start = grid.x.iter().zip(&grid.width).map(|(x, width)| x - width / 2.0).fold(start, f64::min);
    let end = grid.x.iter().zip(&grid.width).map(|(x, width)| x + width / 2.0).fold(start, f64::max);
    let shifted = |cell: usize| grid.x[cell] - start;
    let edges = grid.edges.iter().map(|(from, to, cells)| Edge {
        from: *from,
        to: *to,
        via: cells.iter().map(|cell| shifted(*cell)).collect(),
    });
    Layout {
        x: (0..widths.len()).map(shifted).collect(),
        edges: edges.collect(),
        width: if widths.is_empty() { 0.0 } else { end - start },
        layer,
        layers,
    }
}

fn ranks(needs: &[&[usize]]) -> Vec<usize> {
    let mut ranks: Vec<usize> = Vec::with_capacity(needs.len());
    for own in needs {
        let after = own.iter().filter_map(|need| ranks.get(*need)).max();
        ranks.push(after.map_or(0, |rank| rank + 1));
    }
    ranks
}

/// Steps and passing edges in their layers. A cell is a step by its index, or an edge
/// on its way through a layer.
struct Grid {
    layers: Vec<Vec<usize>>,
    width: Vec<f64>,
    x: Vec<f64>,
    /// Neighbours in the layer above, and below.
    above: Vec<Vec<usize>>,
    below: Vec<Vec<usize>>,
    /// From, to, and the cells between.
    edges: Vec<(usize, usize, Vec<usize>)>,
}

impl Grid {
    fn new(widths: &[f64], needs: &[&[usize]], layer: &[usize], layers: usize) -> Self {
        let mut grid = Self {
            layers: vec![Vec::new(); layers],
            width: widths.to_vec(),
            x: vec![0.0; widths.len()],
            above: vec![Vec::new(); widths.len()],
            below: vec![Vec::new(); widths.len()],
            edges: Vec::new(),
        };
        for (step, layer) in layer.iter().enumerate() {
            grid.layers[*layer].push(step);
        }
        for (to, own) in needs.iter().enumerate() {
            for from in own.iter().copied().filter(|from| *from < to) {
                grid.connect(from, to, layer);
            }
        }
        grid
    }

    fn connect(&mut self, from: usize, to: usize, layer: &[usize]) {
        let mut cells = Vec::new();
        let between = layer[from] + 1..layer[to];
        let mut last = from;
        if self.x.len() + between.len() <= MOST_CELLS {
            for layer in between {
                let cell = self.x.len();
                self.width.push(LANE);
                self.x.push(0.0);
                self.above.push(vec![last]);
                self.below.push(Vec::new());
                self.below[last].push(cell);
                self.layers[layer].push(cell);
                cells.push(cell);
                last = cell;
            }
            self.below[last].push(to);
            self.above[to].push(last);
        }
        self.edges.push((from, to, cells));
    }

    /// Sorts every layer by where its neighbours are.
    fn order(&mut self) {
        let mut position = vec![0.0; self.x.len()];
        for layer in &self.layers {
            note_positions(layer, &mut position);
        }
        for sweep in 0..SWEEPS {
            let down = sweep % 2 == 0;
            for index in in_direction(self.layers.len(), down) {
                let neighbours = if down { &self.above } else { &self.below };
                let key = |cell: &usize| mean(&neighbours[*cell], &position).unwrap_or(position[*cell]);
                let mut keyed: Vec<(f64, usize)> =
                    self.layers[index].iter().map(|cell| (key(cell), *cell)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.layers[index] = keyed.into_iter().map(|(_, cell)| cell).collect();
                note_positions(&self.layers[index], &mut position);
            }
        }
    }

    /// Gives every cell its place: as close to its neighbours as the widths allow.
    fn place(&mut self) {
        for index in 0..self.layers.len() {
            self.settle(index, &vec![0.0; self.layers[index].len()]);
        }
        for sweep in 0..SWEEPS {
            let down = sweep % 2 == 0;
            for index in in_direction(self.layers.len(), down) {
                let neighbours = if down { &self.above } else { &self.below };
                let wish = |cell: &usize| mean(&neighbours[*cell], &self.x).unwrap_or(self.x[*cell]);
                let wishes: Vec<f64> = self.layers[index].iter().map(wish).collect();
                self.settle(index, &wishes);
            }
        }
    }

    /// Places one layer with the least squared distance from its wishes: isotonic
    /// regression by pooling neighbours that would overlap.
    fn settle(&mut self, index: usize, wishes: &[f64]) {
        let cells = &self.layers[index];
        let mut offsets = Vec::with_capacity(cells.len());
        let mut offset = 0.0;
        for (place, cell) in cells.iter().enumerate() {
            if let Some(before) = place.checked_sub(1).map(|before| cells[before]) {
                offset += f64::midpoint(self.width[before], self.width[*cell]) + GAP;
            }
            offsets.push(offset);
        }
        // Groups that stick together: the sum of their wishes, and how many they are.
        let mut groups: Vec<(f64, f64)> = Vec::new();
        for (wish, offset) in wishes.iter().zip(&offsets) {
            let mut group = (wish - offset, 1.0);
            while let Some(before) = groups.pop_if(|before| before.0 / before.1 >= group.0 / group.1) {
                group = (before.0 + group.0, before.1 + group.1);
            }
            groups.push(group);
        }
        let places = groups.iter().flat_map(|(sum, count)| {
            let mut left = *count;
            std::iter::from_fn(move || {
                left -= 1.0;
                (left >= 0.0).then_some(sum / count)
            })
        });
        for ((cell, offset), place) in cells.iter().zip(&offsets).zip(places) {
            self.x[*cell] = place + offset;
        }
    }
}

fn in_direction(layers: usize, down: bool) -> Box<dyn Iterator<Item = usize>> {
    if down { Box::new(0..layers) } else { Box::new((0..layers).rev()) }
}

#[expect(clippy::cast_precision_loss, reason = "no layer has that many cells")]
fn note_positions(layer: &[usize], position: &mut [f64]) {
    let middle = layer.len() as f64 / 2.0;
    for (place, cell) in layer.iter().enumerate() {
        position[*cell] = place as f64 - middle;
    }
}

#[expect(clippy::cast_precision_loss, reason = "no cell has that many neighbours")]
fn mean(cells: &[usize], of: &[f64]) -> Option<f64> {
    let sum: f64 = cells.iter().map(|cell| of[*cell]).sum();
    (!cells.is_empty()).then(|| sum / cells.len() as f64)
}
