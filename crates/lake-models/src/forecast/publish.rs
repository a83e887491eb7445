//! Which forecast of each series is published: the best candidate, made coherent within its hierarchy.
//!
//! Candidates are chosen on the origins that measure them, so the published accuracy of the winner is
//! somewhat favourable; with five candidates to choose from, not by much.

use super::Input;
use super::accuracy::{Accuracy, Scored};
use super::backtest::{Origin, Study, Track, best, score};
use super::candidates::Model;
use super::grid::Grid;
use super::reconcile::{Reconciliation, mint, sum_of};

/// A track with its errors in the backtest.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The forecasts.
    pub track: Track,
    /// Per origin, what was forecast and what came.
    pub scored: Vec<Scored>,
    /// Its accuracy, if any day was scored.
    pub accuracy: Option<Accuracy>,
}

/// A series with its judged tracks, one of them chosen.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Candidates first, then reconciled forecasts.
    pub judged: Vec<Judged>,
    /// The index of the published one; `None` if there is no forecast at all.
    pub chosen: Option<usize>,
    study: Study,
}

impl Choice {
    /// The published track.
    pub fn published(&self) -> Option<&Judged> {
        self.chosen.map(|i| &self.judged[i])
    }

    /// The index of its seasonal naive forecast.
    fn naive(&self) -> Option<usize> {
        self.judged.iter().position(is_naive)
    }
}

impl Judged {
    /// What it is ranked by; infinite where no day was scored.
    fn loss(&self) -> f64 {
        self.accuracy.map_or(f64::INFINITY, |a| a.loss())
    }
}

/// Chooses for every series by itself, then within every hierarchy.
pub fn choose(
    input: &Input,
    origins: &[Origin],
    end: &Origin,
    horizon: usize,
    studies: Vec<Study>,
) -> Vec<Choice> {
    let mut choices: Vec<Choice> = studies
        .into_iter()
        .enumerate()
        .map(|(s, study)| alone(input, s, origins, end, horizon, study))
        .collect();
    for total in 0..choices.len() {
        let parts = input.parts_of(total);
        if !parts.is_empty() {
            reconcile(input, origins, &mut choices, total, &parts);
        }
    }
    choices
}

/// The best candidate of one series; the mean of its days where no candidate can be fitted.
fn alone(input: &Input, s: usize, origins: &[Origin], end: &Origin, horizon: usize, study: Study) -> Choice {
    let mut judged: Vec<Judged> =
        study.tracks.iter().map(|track| judge(input, s, origins, &study, track.clone())).collect();
    if judged.is_empty() {
        let traded = &input.traded[..end.known];
        let grid = Grid::new(input.first_day, traded, &input.series[s].values[..end.known], &end.calendar);
        let level = grid.mean().map(|mean| if input.series[s].non_negative { mean.max(0.0) } else { mean });
        judged.extend(level.map(|level| {
            let open = |step: &Option<usize>| if step.is_some() { level } else { 0.0 };
            let future = grid.steps(horizon, &end.calendar).iter().map(open).collect();
            let track = Track { model: HISTORICAL_MEAN.to_owned(), folds: Vec::new(), future };
            Judged { track, scored: Vec::new(), accuracy: None }
        }));
    }
    let accuracies: Vec<_> = judged.iter().map(|j| j.accuracy).collect();
    let chosen = (!judged.is_empty()).then(|| best(&accuracies));
    Choice { judged, chosen, study }
}

/// The name of the last resort.
pub const HISTORICAL_MEAN: &str = "historical_mean";

fn judge(input: &Input, s: usize, origins: &[Origin], study: &Study, track: Track) -> Judged {
    let scored = score(input, s, origins, study, &track);
    Judged { accuracy: Accuracy::of(&scored), track, scored }
}

/// A way to make a hierarchy coherent, judged: the total first, then the parts.
struct Plan {
    kind: Reconciliation,
    judged: Vec<Judged>,
}

/// Makes a total and its parts coherent: bottom-up or MinT, whichever has the total's lower loss.
///
/// MinT is out of the question where it sets a part behind its own seasonal naive forecast. Where neither
/// beats the total's seasonal naive forecast, all take theirs, which is coherent by itself.
fn reconcile(input: &Input, origins: &[Origin], choices: &mut [Choice], total: usize, parts: &[usize]) {
    let family: Vec<usize> = std::iter::once(total).chain(parts.iter().copied()).collect();
    let Some(plans) = plans(input, origins, choices, &family) else { return };
    let losses: Vec<f64> = plans
        .iter()
        .map(|plan| if is_admissible(plan, choices, parts) { plan.judged[0].loss() } else { f64::INFINITY })
        .collect();
    let winner = if losses[1] < losses[0] { 1 } else { 0 };
    let naive = choices[total].naive().map_or(f64::INFINITY, |i| choices[total].judged[i].loss());
    let first = choices[total].judged.len();
    let measured = losses[winner].is_finite();
    for (i, plan) in plans.into_iter().enumerate() {
        let kind = plan.kind;
        for (s, judged) in family.iter().zip(plan.judged) {
            let choice = &mut choices[*s];
            if *s == total {
                choice.judged.push(judged);
                choice.chosen = Some(first + winner);
            } else if i == winner && kind == Reconciliation::Mint && choice.chosen != choice.naive() {
                choice.judged.push(judged);
                choice.chosen = Some(choice.judged.len() - 1);
            }
        }
    }
    if measured && losses[winner] >= naive {
        family.iter().for_each(|s| choices[*s].chosen = choices[*s].naive());
    }
}

/// Says whether no part of the plan is behind its own seasonal naive forecast.
fn is_admissible(plan: &Plan, choices: &[Choice], parts: &[usize]) -> bool {
    parts.iter().zip(&plan.judged[1..]).all(|(s, judged)| {
        choices[*s].naive().is_none_or(|naive| judged.loss() <= choices[*s].judged[naive].loss())
    })
}

/// Bottom-up and MinT, judged; `None` where a series has no forecast to reconcile.
fn plans(input: &Input, origins: &[Origin], choices: &[Choice], family: &[usize]) -> Option<Vec<Plan>> {
    let base: Vec<&Judged> = family.iter().map(|s| choices[*s].published()).collect::<Option<_>>()?;
    let (total, parts) = base.split_first()?;
    let floor: Vec<bool> = family[1..].iter().map(|s| input.series[*s].non_negative).collect();
    let bottom_up = |_: Option<usize>, base: &[&[f64]]| base.iter().map(|part| part.to_vec()).collect();
    let mint = |fold: Option<usize>, base: &[&[f64]]| {
        // A part that seasonal naive stands for keeps that forecast (Zhang, Kang, Panagiotelis & Li 2023,
        // "Optimal reconciliation with immutable forecasts"): it has no weight.
        let weight = |part: &&Judged| if is_naive(part) { 0.0 } else { variance(part, fold) };
        let weights: Vec<f64> = parts.iter().map(weight).collect();
        let mut reconciled = mint(base_of(total, fold), base, variance(total, fold), &weights);
        for (part, _) in reconciled.iter_mut().zip(&floor).filter(|(_, non_negative)| **non_negative) {
            part.iter_mut().for_each(|f| *f = f.max(0.0));
        }
        reconciled
    };
    let tracks = [
        (Reconciliation::BottomUp, assemble(Reconciliation::BottomUp, total, parts, bottom_up)),
        (Reconciliation::Mint, assemble(Reconciliation::Mint, total, parts, mint)),
    ];
    let judged = |tracks: Vec<Track>| {
        let each = family.iter().zip(tracks);
        each.map(|(s, track)| judge(input, *s, origins, &choices[*s].study, track)).collect()
    };
    Some(tracks.into_iter().map(|(kind, tracks)| Plan { kind, judged: judged(tracks) }).collect())
}

/// Tracks of the total and its parts whose parts are what `parts_of` makes of them at each origin.
fn assemble(
    kind: Reconciliation,
    total: &Judged,
    parts: &[&Judged],
    parts_of: impl Fn(Option<usize>, &[&[f64]]) -> Vec<Vec<f64>>,
) -> Vec<Track> {
    let of_fold = |fold: Option<usize>| {
        let base: Vec<&[f64]> = parts.iter().map(|part| base_of(part, fold)).collect();
        let parts = parts_of(fold, &base);
        let slices: Vec<&[f64]> = parts.iter().map(Vec::as_slice).collect();
        let mut all = vec![sum_of(&slices, base_of(total, fold).len())];
        all.extend(parts);
        all
    };
    let folds: Vec<Vec<Vec<f64>>> = (0..total.track.folds.len()).map(|i| of_fold(Some(i))).collect();
    let futures = of_fold(None);
    let names = std::iter::once(kind.name().to_owned())
        .chain(parts.iter().map(|part| format!("{}+{}", part.track.model, kind.name())));
    names
        .zip(futures)
        .enumerate()
        .map(|(i, (model, future))| Track {
            model,
            folds: folds.iter().map(|f| f[i].clone()).collect(),
            future,
        })
        .collect()
}

/// The base forecast after an origin, or the one to publish.
fn base_of(judged: &Judged, fold: Option<usize>) -> &[f64] {
    fold.map_or(&judged.track.future, |i| &judged.track.folds[i])
}

/// The mean squared error over all origins but `fold`, so that no origin weighs itself.
///
/// With a single origin there is nothing else to weigh by, and every series counts alike.
fn variance(judged: &Judged, fold: Option<usize>) -> f64 {
    let others = judged.scored.iter().enumerate().filter(|(i, _)| Some(*i) != fold);
    let squares: Vec<f64> =
        others.flat_map(|(_, o)| o.days.iter().map(|(_, y, f)| (y - f).powi(2))).collect();
    super::accuracy::mean(&squares).unwrap_or(1.0)
}

fn is_naive(judged: &Judged) -> bool {
    judged.track.model == Model::SeasonalNaive.name()
}
