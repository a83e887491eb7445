//! The inverse of a large symmetric positive definite matrix, the same at any number of threads.
//!
//! The sweep operator (Goodnight 1979, "A Tutorial on the SWEEP Operator"), block by block: all but a sliver
//! of the n³ operations are products of blocks of a fixed size, each written by one thread.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, Axis, s};
use rayon::prelude::*;

/// Rows swept at once, and rows per task.
const BLOCK: usize = 256;

/// Replaces the lower triangle of `a`, symmetric and positive definite, by that of −A⁻¹.
///
/// The upper triangle is neither read nor left meaningful.
pub fn negative_inverse(a: &mut Array2<f64>) {
    let n = a.nrows();
    for from in (0..n).step_by(BLOCK) {
        let to = (from + BLOCK).min(n);
        let mut panel = Array2::zeros((n, to - from));
        panel.slice_mut(s![..from, ..]).assign(&a.slice(s![from..to, ..from]).t());
        panel.slice_mut(s![from.., ..]).assign(&a.slice(s![from.., from..to]));
        let mut pivot = panel.slice(s![from..to, ..]).to_owned();
        sweep_pivot(&mut pivot);
        let mut ratio = Array2::zeros(panel.raw_dim());
        let mut strips: Vec<_> =
            ratio.axis_chunks_iter_mut(Axis(0), BLOCK).zip(panel.axis_chunks_iter(Axis(0), BLOCK)).collect();
        strips.par_iter_mut().for_each(|(ratio, panel)| general_mat_mul(-1.0, panel, &pivot, 0.0, ratio));
        let mut strips: Vec<_> = a.axis_chunks_iter_mut(Axis(0), BLOCK).enumerate().collect();
        strips.par_iter_mut().for_each(|(i, strip)| {
            let end = (*i * BLOCK + BLOCK).min(n);
            let rows = ratio.slice(s![end - strip.nrows()..end, ..]);
            general_mat_mul(
                -1.0,
                &rows,
                &panel.slice(s![..end, ..]).t(),
                1.0,
                &mut strip.slice_mut(s![.., ..end]),
            );
        });
        a.slice_mut(s![from..to, ..from]).assign(&ratio.slice(s![..from, ..]).t());
        a.slice_mut(s![to.., from..to]).assign(&ratio.slice(s![to.., ..]));
        a.slice_mut(s![from..to, from..to]).assign(&pivot);
    }
}

/// Replaces a small matrix, of which the lower triangle is read, by the whole of its negative inverse.
fn sweep_pivot(a: &mut Array2<f64>) {
    let n = a.nrows();
    for i in 0..n {
        for j in 0..i {
            a[[j, i]] = a[[i, j]];
        }
    }
    for k in 0..n {
        let row = a.row(k).to_owned();
        let d = row[k];
        for (i, mut swept) in a.rows_mut().into_iter().enumerate() {
            let factor = row[i] / d;
            swept.scaled_add(-factor, &row);
            swept[k] = factor;
        }
        a.row_mut(k).assign(&(&row / d));
        a[[k, k]] = -1.0 / d;
    }
}
