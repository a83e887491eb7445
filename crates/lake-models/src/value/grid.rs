//! The integral of the Pareto/NBD likelihood, for all customers at once.
//!
//! Customers of one x share the integrand `f(t) = (α+t)^−(r+x) (β+t)^−(s+1)`, and their t_x and T repeat. So
//! f is integrated once between neighbouring times of each x, added up from the latest time backwards, and a
//! customer's integral over (t_x, T] is the difference of two sums. As f falls, that difference keeps all but
//! the digits of (T_max − t_x) / (T − t_x). Every sum is relative to f at its own left end, so nothing over-
//! or underflows.

use std::ops::Range;

use rayon::prelude::*;

use super::summary::Summaries;

/// Beyond a fall of f by this logarithm the rest of an interval is nothing.
const NOTHING: f64 = 60.0;

/// The distinct t_x and T of each x.
#[derive(Debug)]
pub(crate) struct PurchaseGrid {
    /// Times, ascending within each x.
    times: Vec<f64>,
    /// The repeat purchases of each time's customers.
    x: Vec<f64>,
    /// The stretch of `times` of each x.
    groups: Vec<Range<usize>>,
    /// The places of t_x and T of each row.
    places: Vec<[u32; 2]>,
}

/// `ln ∫ f`, and its partial derivatives in r, α, s and β.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Integral {
    pub ln: f64,
    pub slopes: [f64; 4],
}

/// Integrals from a time on, relative to f there: of f, and of f times `ln(α+t)`, `1/(α+t)`, `ln(β+t)`,
/// `1/(β+t)`.
type Sums = [f64; 5];

/// The parameters of f at one x.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Integrand {
    pub alpha: f64,
    pub beta: f64,
    /// r + x.
    pub k: f64,
    /// s + 1.
    pub m: f64,
}

impl PurchaseGrid {
    pub(crate) fn new(data: &Summaries) -> Self {
        let (mut times, mut x, mut groups) = (Vec::new(), Vec::new(), Vec::new());
        let mut places = Vec::with_capacity(data.rows.len());
        for rows in data.rows.chunk_by(|a, b| a.x == b.x) {
            let (since, until) = (|i: usize| data.recencies[i], |i: usize| data.ages[i]);
            let ends = |row: &super::summary::Row| [since(row.t_x as usize), until(row.t as usize)];
            let mut group: Vec<f64> = rows.iter().flat_map(ends).collect();
            group.par_sort_unstable_by(f64::total_cmp);
            group.dedup();
            let start = times.len();
            let place = |t: f64| (start + group.partition_point(|&g| g < t)) as u32;
            places.extend(rows.iter().map(|row| ends(row).map(place)));
            let purchases = f64::from(data.frequencies[rows[0].x as usize]);
            x.extend(std::iter::repeat_n(purchases, group.len()));
            times.append(&mut group);
            groups.push(start..times.len());
        }
        PurchaseGrid { times, x, groups, places }
    }

    /// The integrals over (t_x, T] of every row.
    pub(crate) fn integrate(&self, r: f64, alpha: f64, s: f64, beta: f64) -> Integrals<'_> {
        let at = |i: usize| Integrand { alpha, beta, k: r + self.x[i], m: s + 1.0 };
        let logs: Vec<f64> = (0..self.times.len())
            .into_par_iter()
            .with_min_len(1024)
            .map(|i| at(i).ln(self.times[i]))
            .collect();
        let parts = self.groups.iter().flat_map(|g| g.clone().map(|i| (i, i + 1 < g.end)));
        let parts: Vec<(usize, bool)> = parts.collect();
        let mut sums: Vec<Sums> = parts
            .par_iter()
            .with_min_len(256)
            .map(|&(i, inner)| if inner { at(i).over(self.times[i], self.times[i + 1]) } else { [0.0; 5] })
            .collect();
        for group in &self.groups {
            for i in group.clone().rev().skip(1) {
                let fall = (logs[i + 1] - logs[i]).exp();
                let later = sums[i + 1];
                sums[i].iter_mut().zip(later).for_each(|(here, there)| *here += fall * there);
            }
        }
        Integrals { grid: self, r, s, logs, sums }
    }
}

/// The integrals of every row at given parameters.
pub(crate) struct Integrals<'a> {
    grid: &'a PurchaseGrid,
    r: f64,
    s: f64,
    logs: Vec<f64>,
    sums: Vec<Sums>,
}

impl Integrals<'_> {
    /// The integral of a row; `None` where t_x = T.
    pub(crate) fn of_row(&self, row: usize) -> Option<Integral> {
        let [from, to] = self.grid.places[row].map(|p| p as usize);
        let fall = (self.logs[to] - self.logs[from]).exp();
        let mut inner = self.sums[from];
        inner.iter_mut().zip(self.sums[to]).for_each(|(here, there)| *here -= fall * there);
        let [whole, ln_alpha, by_alpha, ln_beta, by_beta] = inner;
        let (k, m) = (self.r + self.grid.x[from], self.s + 1.0);
        (whole > 0.0).then(|| Integral {
            ln: self.logs[from] + whole.ln(),
            slopes: [-ln_alpha / whole, -k * by_alpha / whole, -ln_beta / whole, -m * by_beta / whole],
        })
    }
}

impl Integrand {
    /// `ln f(t)`.
    fn ln(&self, t: f64) -> f64 {
        -self.k * (self.alpha + t).ln() - self.m * (self.beta + t).ln()
    }

    /// Integrates from `from` to `to`, relative to f(from): Gauss–Legendre over stretches short enough for
    /// it.
    fn over(&self, from: f64, to: f64) -> Sums {
        let mut sums = [0.0; 5];
        let (mut left, mut fallen) = (from, 0.0);
        while left < to && fallen < NOTHING {
            let steepness = self.k / (self.alpha + left) + self.m / (self.beta + left);
            let nearest = self.alpha.min(self.beta) + left;
            let width = (to - left).min(0.6 * nearest).min(3.0 / steepness);
            self.panel(from, left, width, rule(width * steepness, width / nearest), &mut sums);
            left = if width == to - left { to } else { left + width };
            fallen = self.ln(from) - self.ln(left);
        }
        sums
    }

    /// Adds the integral over `[left, left + width]` by one Gauss–Legendre rule.
    fn panel(&self, from: f64, left: f64, width: f64, rule: &[(f64, f64)], sums: &mut Sums) {
        let (a0, b0) = (self.alpha + from, self.beta + from);
        let (ln_a0, ln_b0) = (a0.ln(), b0.ln());
        for (node, weight) in rule {
            let ahead = left - from + width * node;
            let (ln_a, ln_b) = ((ahead / a0).ln_1p(), (ahead / b0).ln_1p());
            let f = weight * width * (-self.k * ln_a - self.m * ln_b).exp();
            sums[0] += f;
            sums[1] += f * (ln_a0 + ln_a);
            sums[2] += f / (a0 + ahead);
            sums[3] += f * (ln_b0 + ln_b);
            sums[4] += f / (b0 + ahead);
        }
    }
}

/// The shortest rule whose error stays under 1e-13, given how far `ln f` falls over the stretch and how long
/// the stretch is against its distance from the singularity.
fn rule(fall: f64, length: f64) -> &'static [(f64, f64)] {
    if fall <= 0.08 && length <= 0.03 {
        &GAUSS_3
    } else if fall <= 0.3 && length <= 0.1 {
        &GAUSS_4
    } else {
        &GAUSS_10
    }
}

/// Nodes and weights of Gauss–Legendre on [0, 1] with 3 points.
const GAUSS_3: [(f64, f64); 3] = [
    (0.11270166537925831, 0.2777777777777778),
    (0.5, 0.4444444444444444),
    (0.8872983346207417, 0.2777777777777778),
];

/// Nodes and weights of Gauss–Legendre on [0, 1] with 4 points.
const GAUSS_4: [(f64, f64); 4] = [
    (0.06943184420297371, 0.17392742256872692),
    (0.33000947820757187, 0.32607257743127305),
    (0.6699905217924281, 0.32607257743127305),
    (0.9305681557970263, 0.17392742256872692),
];

/// Nodes and weights of Gauss–Legendre on [0, 1] with 10 points.
const GAUSS_10: [(f64, f64); 10] = [
    (0.01304673574141414, 0.03333567215434407),
    (0.06746831665550775, 0.0747256745752903),
    (0.1602952158504878, 0.10954318125799102),
    (0.2833023029353764, 0.13463335965499817),
    (0.4255628305091844, 0.14776211235737644),
    (0.5744371694908156, 0.14776211235737644),
    (0.7166976970646236, 0.13463335965499817),
    (0.8397047841495122, 0.10954318125799102),
    (0.9325316833444922, 0.0747256745752903),
    (0.9869532642585859, 0.03333567215434407),
];

#[cfg(test)]
mod tests;
