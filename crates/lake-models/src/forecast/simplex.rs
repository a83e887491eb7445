//! Minimisation without derivatives: the downhill simplex of Nelder & Mead (1965).
//!
//! Deterministic: no random restarts. Points outside the feasible region are those whose value is infinite.

/// The point found and its value, from `start` with first steps `steps`.
///
/// Stops after `max_evaluations`, or when the values of the simplex agree to 1e-9 relatively. Coefficients as
/// in the paper: reflection 1, expansion 2, contraction and shrinkage 1/2.
pub fn minimise(
    f: impl Fn(&[f64]) -> f64,
    start: &[f64],
    steps: &[f64],
    max_evaluations: usize,
) -> (Vec<f64>, f64) {
    let value = |x: &[f64]| Some(f(x)).filter(|v| !v.is_nan()).unwrap_or(f64::INFINITY);
    let mut simplex = vec![(start.to_vec(), value(start))];
    for (i, step) in steps.iter().enumerate() {
        let mut x = start.to_vec();
        x[i] += step;
        let v = value(&x);
        simplex.push((x, v));
    }
    let mut evaluations = simplex.len();
    loop {
        simplex.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (best, worst) = (simplex[0].1, simplex[simplex.len() - 1].1);
        if evaluations >= max_evaluations
            || start.is_empty()
            || (worst - best).abs() <= 1e-9 * (1e-9 + best.abs())
        {
            return simplex.swap_remove(0);
        }
        evaluations += improve(&mut simplex, &value);
    }
}

/// Replaces the worst point of a sorted simplex, or shrinks it; returns the number of evaluations.
fn improve(simplex: &mut [(Vec<f64>, f64)], value: &impl Fn(&[f64]) -> f64) -> usize {
    let n = simplex.len() - 1;
    let centre: Vec<f64> =
        (0..n).map(|i| simplex[..n].iter().map(|(x, _)| x[i]).sum::<f64>() / n as f64).collect();
    let towards = |k: f64, worst: &[f64]| -> (Vec<f64>, f64) {
        let x: Vec<f64> = centre.iter().zip(worst).map(|(c, w)| c + k * (w - c)).collect();
        let v = value(&x);
        (x, v)
    };
    let reflected = towards(-1.0, &simplex[n].0);
    if reflected.1 < simplex[0].1 {
        let expanded = towards(-2.0, &simplex[n].0);
        simplex[n] = if expanded.1 < reflected.1 { expanded } else { reflected };
        return 2;
    }
    if reflected.1 < simplex[n - 1].1 {
        simplex[n] = reflected;
        return 1;
    }
    let contracted = towards(if reflected.1 < simplex[n].1 { -0.5 } else { 0.5 }, &simplex[n].0);
    if contracted.1 < simplex[n].1.min(reflected.1) {
        simplex[n] = contracted;
        return 2;
    }
    let best = simplex[0].0.clone();
    for (x, v) in &mut simplex[1..] {
        x.iter_mut().zip(&best).for_each(|(x, b)| *x = b + 0.5 * (*x - b));
        *v = value(x);
    }
    n + 2
}
