//! Tests of the segments, and the customers they are tried on.

mod algorithms;
mod degenerate;
mod estimators;
mod identities;
mod laws;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{Algorithm, Customers, Feature, SegmentParams, Segmentation};

/// Customers of known groups.
#[derive(Clone)]
struct Shop {
    ids: Vec<i64>,
    /// `recency_days`, `orders`, `monetary`, `is_uk`, `p_alive`, each one value per customer.
    columns: Vec<Vec<f64>>,
    group: Vec<usize>,
    previous: Vec<Option<i64>>,
    previous_silhouette: Option<f64>,
}

const NAMES: [&str; 5] = ["recency_days", "orders", "monetary", "is_uk", "p_alive"];
/// Recency, orders and money of those who come often, of those who have gone, and of one-time buyers.
const GROUPS: [[f64; 3]; 3] = [[10.0, 30.0, 9000.0], [250.0, 8.0, 900.0], [60.0, 1.0, 40.0]];
/// Of customers who spend without measure: belongs to those who come often.
const WHALE: [f64; 3] = [1.0, 5000.0, 3e7];

impl Shop {
    /// Groups of these sizes, spread around their centres by a sixth, and then `whales`.
    fn new(sizes: [usize; 3], whales: usize) -> Self {
        let mut shop = Shop {
            ids: Vec::new(),
            columns: vec![Vec::new(); NAMES.len()],
            group: Vec::new(),
            previous: Vec::new(),
            previous_silhouette: None,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let all = sizes.iter().enumerate().map(|(g, &size)| (g, GROUPS[g], size));
        for (group, centre, size) in all.chain([(0, WHALE, whales)]) {
            for _ in 0..size {
                for (column, middle) in shop.columns.iter_mut().zip(centre) {
                    let z: f64 = StandardNormal.sample(&mut rng);
                    column.push((middle * (z / 6.0).exp()).ceil());
                }
                shop.columns[3].push(f64::from(u8::from(rng.random_bool(0.5))));
                shop.columns[4].push(1.0);
                shop.group.push(group);
            }
        }
        // Ids go up and down, so that their order is not that of the groups.
        shop.ids = (0..shop.group.len() as i64).map(|i| 10_000 + i * 7919 % 1_000_003).collect();
        shop.previous = vec![None; shop.ids.len()];
        shop
    }

    fn fit(&self, params: &SegmentParams) -> Result<Segmentation, crate::Error> {
        let feature = |(f, values)| Feature { name: NAMES[f], values, is_amount: f < 3 };
        let features: Vec<Feature> =
            self.columns.iter().map(Vec::as_slice).enumerate().map(feature).collect();
        params.fit(&Customers {
            ids: &self.ids,
            features: &features,
            value: "monetary",
            previous: &self.previous,
            previous_silhouette: self.previous_silhouette,
        })
    }

    /// The same customers in another order.
    fn shuffled(&self, order: &[usize]) -> Self {
        Shop {
            ids: order.iter().map(|&i| self.ids[i]).collect(),
            columns: self.columns.iter().map(|c| order.iter().map(|&i| c[i]).collect()).collect(),
            group: order.iter().map(|&i| self.group[i]).collect(),
            previous: order.iter().map(|&i| self.previous[i]).collect(),
            previous_silhouette: self.previous_silhouette,
        }
    }
}

fn algorithm(algorithm: Algorithm) -> SegmentParams {
    SegmentParams { algorithm, ..SegmentParams::default() }
}

fn ids(segmentation: &Segmentation) -> Vec<i64> {
    segmentation.customers.iter().map(|c| c.segment_id).collect()
}

/// Adjusted Rand index (Hubert & Arabie 1985): 1 for the same groups, about 0 for unrelated ones.
fn adjusted_rand(a: &[usize], b: &[i64]) -> f64 {
    let pairs = |n: usize| (n * n.saturating_sub(1)) as f64 / 2.0;
    let count = |of: &dyn Fn(usize) -> (usize, i64)| {
        let mut sizes = std::collections::BTreeMap::new();
        (0..a.len()).for_each(|i| *sizes.entry(of(i)).or_insert(0_usize) += 1);
        sizes.into_values().map(pairs).sum::<f64>()
    };
    let (both, first, second) = (count(&|i| (a[i], b[i])), count(&|i| (a[i], 0)), count(&|i| (0, b[i])));
    let chance = first * second / pairs(a.len());
    (both - chance) / ((first + second) / 2.0 - chance)
}
