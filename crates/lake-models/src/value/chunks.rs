//! Parallel sums that do not depend on the number of threads: chunks of a fixed size, added up in order.

use rayon::prelude::*;

/// Rows per chunk.
const CHUNK: usize = 2048;

/// Sums `term` over `rows` and their places, component by component.
pub(crate) fn sum<T: Sync, const N: usize>(
    rows: &[T],
    term: impl Fn(usize, &T, &mut [f64; N]) + Sync,
) -> [f64; N] {
    let partial = |(chunk, rows): (usize, &[T])| {
        let mut total = [0.0; N];
        rows.iter().enumerate().for_each(|(i, row)| term(chunk * CHUNK + i, row, &mut total));
        total
    };
    let partials: Vec<[f64; N]> = rows.par_chunks(CHUNK).enumerate().map(partial).collect();
    partials.iter().fold([0.0; N], |mut total, part| {
        total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
        total
    })
}

/// `f` of each row, in order.
pub(crate) fn map<T: Sync, R: Send>(rows: &[T], f: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
    rows.par_iter().with_min_len(CHUNK).map(f).collect()
}
