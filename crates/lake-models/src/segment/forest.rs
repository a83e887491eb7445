//! Isolation forest (Liu, Ting & Zhou 2008): outliers are cut off from the rest by few random cuts.

use ndarray::{Array2, ArrayView1};
use rand::seq::index;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Euler's constant.
const EULER: f64 = 0.577_215_664_901_532_9;
/// Fewest rows that a thread takes at a time.
const CHUNK: usize = 512;

/// How the forest grows.
pub(super) struct Forest {
    /// Trees.
    pub trees: usize,
    /// Rows that each tree grows from, drawn without replacement.
    pub subsample: usize,
    /// Seeds the trees, each of which has a stream of its own.
    pub seed: u64,
}

/// A node of a tree; the one below a cut lies right behind it.
enum Node {
    /// Values up to `at` go to the next node, others to the node `above`.
    Cut { feature: usize, at: f64, above: usize },
    /// Cuts that lead here, and those that its rows would still take on average.
    Leaf { path: f64 },
}

impl Forest {
    /// The score `2^(−E[h] / c(ψ))` of each row, equation 2 of the paper.
    pub fn scores(&self, values: &Array2<f64>) -> Vec<f64> {
        let n = values.nrows();
        let drawn = self.subsample.min(n);
        let grow = |tree: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(tree);
            let rows = index::sample(&mut rng, n, drawn).into_vec();
            let mut nodes = Vec::new();
            Grower { values, rng, deepest: drawn.next_power_of_two().ilog2() }.grow(rows, 0, &mut nodes);
            nodes
        };
        let trees: Vec<Vec<Node>> = (0..self.trees as u64).into_par_iter().map(grow).collect();
        let usual = average_path(drawn);
        let score = |row: usize| {
            let total: f64 = trees.iter().map(|tree| path(tree, values.row(row))).sum();
            (-total / self.trees as f64 / usual).exp2()
        };
        (0..n).into_par_iter().with_min_len(CHUNK).map(score).collect()
    }
}

/// The highest score that is not flagged, so that at most the share `contamination` of rows lies above it.
pub(super) fn threshold(scores: &[f64], contamination: f64) -> f64 {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    sorted[(contamination * scores.len() as f64) as usize]
}

/// What a tree grows from.
struct Grower<'a> {
    values: &'a Array2<f64>,
    rng: ChaCha8Rng,
    deepest: u32,
}

impl Grower<'_> {
    /// Cuts `rows` at a random place of a random feature, until one is left, or all are equal.
    fn grow(&mut self, rows: Vec<usize>, depth: u32, nodes: &mut Vec<Node>) {
        let wide: Vec<(usize, f64, f64)> = if depth < self.deepest && rows.len() > 1 {
            (0..self.values.ncols()).filter_map(|f| self.range(&rows, f)).collect()
        } else {
            Vec::new()
        };
        if wide.is_empty() {
            nodes.push(Node::Leaf { path: f64::from(depth) + average_path(rows.len()) });
            return;
        }
        let (feature, low, high) = wide[self.rng.random_range(0..wide.len())];
        let at = self.rng.random_range(low..high);
        let (up_to, beyond) = rows.into_iter().partition(|&row| self.values[[row, feature]] <= at);
        let cut = nodes.len();
        nodes.push(Node::Cut { feature, at, above: 0 });
        self.grow(up_to, depth + 1, nodes);
        let above = nodes.len();
        nodes[cut] = Node::Cut { feature, at, above };
        self.grow(beyond, depth + 1, nodes);
    }

    /// The feature with its least and greatest value, unless these are the same.
    fn range(&self, rows: &[usize], feature: usize) -> Option<(usize, f64, f64)> {
        let values = rows.iter().map(|&row| self.values[[row, feature]]);
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), v| (v.min(low), v.max(high)));
        (low < high).then_some((feature, low, high))
    }
}

fn path(tree: &[Node], row: ArrayView1<f64>) -> f64 {
    let mut at_node = 0;
    loop {
        match tree[at_node] {
            Node::Leaf { path } => return path,
            Node::Cut { feature, at, above } => {
                at_node = if row[feature] <= at { at_node + 1 } else { above }
            }
        }
    }
}

/// The mean path length c(n) of an unsuccessful search in a binary tree of n rows, equation 1 of the paper.
fn average_path(n: usize) -> f64 {
    let n = n as f64;
    match n {
        ..2.0 => 0.0,
        2.0 => 1.0,
        _ => 2.0 * ((n - 1.0).ln() + EULER) - 2.0 * (n - 1.0) / n,
    }
}
