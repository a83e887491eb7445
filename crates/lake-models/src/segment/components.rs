//! Principal components: directions of the most variance, with signs that do not depend on the solver.

use nalgebra::DMatrix;
use ndarray::{Array2, Axis};

/// The share of variance below which a component is rounding.
const LEAST_SHARE: f64 = 1e-12;

/// A principal component.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Its share of the variance.
    pub variance_ratio: f64,
    /// What each scaled feature adds to it; of length 1, the largest (the first of equals) positive.
    pub loadings: Vec<f64>,
}

/// The principal components of standardised features.
pub(super) struct Components {
    /// From the largest share of variance down.
    pub all: Vec<Component>,
}

impl Components {
    /// Finds them in the `ordinary` rows, whose means are 0: the eigenvectors of their covariance.
    ///
    /// Those without variance are left out.
    pub fn fit(scaled: &Array2<f64>, ordinary: &[usize]) -> Self {
        let rows = scaled.select(Axis(0), ordinary);
        let products = rows.t().dot(&rows);
        let eigen = DMatrix::from_fn(rows.ncols(), rows.ncols(), |i, j| products[[i, j]]).symmetric_eigen();
        let total = products.diag().sum();
        let mut order: Vec<usize> = (0..rows.ncols()).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        order.retain(|&place| eigen.eigenvalues[place] > LEAST_SHARE * total);
        let component = |place: usize| {
            let direction = eigen.eigenvectors.column(place);
            let largest = direction.iter().fold(0.0_f64, |l, v| if v.abs() > l.abs() { *v } else { l });
            let loadings = direction.iter().map(|v| v * largest.signum()).collect();
            Component { variance_ratio: eigen.eigenvalues[place] / total, loadings }
        };
        Components { all: order.into_iter().map(component).collect() }
    }

    /// Rows × components.
    pub fn project(&self, scaled: &Array2<f64>) -> Array2<f64> {
        let shape = (scaled.ncols(), self.all.len());
        scaled.dot(&Array2::from_shape_fn(shape, |(f, c)| self.all[c].loadings[f]))
    }

    /// How many it takes to keep this share of the variance.
    pub fn retained(&self, variance: f64) -> usize {
        let kept = self.all.iter().scan(0.0, |sum, c| {
            *sum += c.variance_ratio;
            Some(*sum)
        });
        let short = kept.take_while(|kept| *kept < variance).count();
        (short + 1).min(self.all.len())
    }
}
