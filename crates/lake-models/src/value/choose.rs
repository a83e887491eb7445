//! Which purchase model a customer base gets, and why.
//!
//! Candidates are judged by how likely they make a holdout that they have not seen. A model whose dropout the
//! data cannot tell from none is not used: its likelihood is that of the NBD, its P(alive) is anybody's
//! guess.

use super::bgnbd::{BgNbd, MbgNbd};
use super::nbd::{Nbd, Poisson};
use super::pareto::ParetoNbd;
use super::process::{Fitted, Process};
use super::summary::Summaries;
use crate::Error;
use crate::optimise::Matrix;

/// The gain in log-likelihood over the NBD from which dropout counts as identified.
const LEAST_GAIN: f64 = 0.1;

/// The model to use, or the order to find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ModelChoice {
    /// The best of all by the likelihood of the holdout.
    #[default]
    Auto,
    /// BG/NBD, where its dropout is identified.
    BgNbd,
    /// MBG/NBD, where its dropout is identified.
    MbgNbd,
    /// Pareto/NBD, where its dropout is identified.
    ParetoNbd,
    /// No dropout.
    Nbd,
}

/// A fitted purchase model of any kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Purchases {
    /// BG/NBD.
    BgNbd(Fitted<BgNbd>),
    /// MBG/NBD.
    MbgNbd(Fitted<MbgNbd>),
    /// Pareto/NBD.
    ParetoNbd(Fitted<ParetoNbd>),
    /// NBD, without dropout.
    Nbd(Fitted<Nbd>),
    /// One rate for all, without dropout.
    Poisson(Poisson),
}

/// A parameter with its standard error, where that is identified.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Its letter in the paper, spelled out.
    pub name: &'static str,
    /// Its estimate.
    pub value: f64,
    /// Its standard error.
    pub standard_error: Option<f64>,
}

/// A model that was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its name.
    pub name: &'static str,
    /// Its parameters on the full data.
    pub parameters: Vec<Parameter>,
    /// Its log-likelihood on the full data.
    pub log_likelihood: f64,
    /// LL(calibration + holdout) − LL(calibration) at calibration parameters; `None` where that was not
    /// needed or not possible.
    pub holdout_log_likelihood: Option<f64>,
    /// Whether the fit has converged.
    pub converged: bool,
    /// Why it was not eligible.
    pub refused: Option<String>,
}

/// The customers first seen in calibration, as of its end and as of the end of the holdout.
#[derive(Debug, Clone, Copy)]
pub struct Holdout<'a> {
    /// Summaries at the end of calibration.
    pub calibration: &'a Summaries,
    /// Summaries of the same customers at the end of the holdout.
    pub extended: &'a Summaries,
}

/// The model to use and what spoke for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The fitted model.
    pub purchases: Purchases,
    /// Why this one, in a sentence without a full stop.
    pub reason: String,
    /// Every model that was fitted.
    pub candidates: Vec<Candidate>,
}

/// Runs an expression on the process inside, with `None` for the Poisson.
macro_rules! with_process {
    ($purchases:expr, $fitted:ident => $run:expr) => {
        match $purchases {
            Purchases::BgNbd($fitted) => Some($run),
            Purchases::MbgNbd($fitted) => Some($run),
            Purchases::ParetoNbd($fitted) => Some($run),
            Purchases::Nbd($fitted) => Some($run),
            Purchases::Poisson(_) => None,
        }
    };
}

impl Purchases {
    /// Name, as tables show it: `bg_nbd`, `mbg_nbd`, `pareto_nbd`, `nbd` or `poisson`.
    pub fn name(&self) -> &'static str {
        fn name<M: Process>(_: &Fitted<M>) -> &'static str {
            M::NAME
        }
        with_process!(self, fitted => name(fitted)).unwrap_or("poisson")
    }

    /// Whether the model lets customers leave.
    pub fn has_dropout(&self) -> bool {
        !matches!(self, Purchases::Nbd(_) | Purchases::Poisson(_))
    }

    /// The parameters with their standard errors.
    pub fn parameters(&self) -> Vec<Parameter> {
        with_process!(self, fitted => fitted.parameters()).unwrap_or_else(|| match self {
            Purchases::Poisson(p) => {
                vec![Parameter { name: "lambda", value: p.lambda, standard_error: None }]
            }
            _ => Vec::new(),
        })
    }

    /// P(alive) of each customer in the order they came in; `None` for a model without dropout.
    pub fn p_alive(&self, data: &Summaries) -> Option<Vec<f64>> {
        self.has_dropout().then(|| data.spread(&self.p_alive_by_row(data)))
    }

    pub(crate) fn p_alive_by_row(&self, data: &Summaries) -> Vec<f64> {
        with_process!(self, fitted => fitted.model.p_alive_by_row(data))
            .unwrap_or_else(|| vec![1.0; data.rows.len()])
    }

    /// Expected purchases in (T, T + t] for each `t` of `horizons` (weeks): one vector per horizon, one value
    /// per customer, in the order they came in.
    pub fn expected_purchases(&self, data: &Summaries, horizons: &[f64]) -> Vec<Vec<f64>> {
        match self {
            Purchases::Poisson(p) => horizons.iter().map(|t| vec![p.lambda * t; data.row_of.len()]).collect(),
            _ => with_process!(self, fitted => fitted.model.expected_purchases(data, horizons))
                .unwrap_or_default(),
        }
    }

    /// Covariance of the logarithms of the parameters, where they are identified.
    pub(crate) fn covariance(&self) -> Option<&Matrix> {
        with_process!(self, fitted => fitted.covariance.as_ref()).flatten()
    }

    /// The same kind of model with other parameters.
    pub(crate) fn with_values(&self, values: &[f64]) -> Purchases {
        let mut other = self.clone();
        match &mut other {
            Purchases::BgNbd(f) => f.model = Process::from_values(values),
            Purchases::MbgNbd(f) => f.model = Process::from_values(values),
            Purchases::ParetoNbd(f) => f.model = Process::from_values(values),
            Purchases::Nbd(f) => f.model = Process::from_values(values),
            Purchases::Poisson(p) => p.lambda = values[0],
        }
        other
    }
}

impl<M: Process> Fitted<M> {
    /// The parameters with their standard errors.
    pub fn parameters(&self) -> Vec<Parameter> {
        let errors = self.standard_errors.as_ref();
        let values = self.model.values();
        let parameter = |i: usize| Parameter {
            name: M::PARAMETERS[i],
            value: values[i],
            standard_error: errors.map(|e| e[i]),
        };
        (0..values.len()).map(parameter).collect()
    }

    /// Why a model with dropout may not be used, given the log-likelihood of the NBD.
    fn refused(&self, nbd: f64) -> Option<String> {
        let gain = self.log_likelihood - nbd;
        if let Some(parameter) = self.at_bound {
            return Some(format!("{parameter} is at its bound"));
        }
        if !self.converged {
            return Some("its search did not converge".into());
        }
        (gain < LEAST_GAIN).then(|| format!("it gains {:.3} of log-likelihood over the NBD", gain.max(0.0)))
    }

    fn candidate(&self, refused: Option<String>, holdout: Option<f64>) -> Candidate {
        Candidate {
            name: M::NAME,
            parameters: self.parameters(),
            log_likelihood: self.log_likelihood,
            holdout_log_likelihood: holdout,
            converged: self.converged,
            refused,
        }
    }
}

impl ModelChoice {
    /// Fits the model, or all of them and picks one.
    ///
    /// Under `Auto` each candidate whose dropout is identified on `full` is fitted to the calibration, too,
    /// and the one with the largest LL(calibration + holdout) − LL(calibration) at those parameters is used;
    /// on equality the first of BG/NBD, MBG/NBD, Pareto/NBD. Both likelihoods are those of the summaries (x,
    /// t_x, T) at the two ends. Without a holdout that all can be fitted to, the log-likelihood on `full`
    /// decides.
    ///
    /// Where no dropout is identified the model is the NBD, where rates do not differ between customers
    /// either it is the Poisson, and both say why.
    ///
    /// # Errors
    /// [`Error::Unfit`] where no time was observed or a likelihood is not finite.
    pub fn fit(self, full: &Summaries, holdout: Option<Holdout<'_>>) -> Result<Choice, Error> {
        if full.exposure_weeks() > 0.0 && full.repeat_purchases() <= 0.0 {
            let reason = "no customer has bought a second time, so the purchase rate is 0".to_owned();
            let purchases = Purchases::Poisson(Poisson::fit(full));
            return Ok(Choice { purchases, reason, candidates: Vec::new() });
        }
        let nbd = Fitted::<Nbd>::fit(full)?;
        let trial = Trial { full, holdout, nbd: nbd.log_likelihood };
        let tried = trial.all(self)?;
        let mut candidates = vec![nbd.candidate(None, None)];
        candidates.extend(tried.iter().map(|t| t.candidate.clone()));
        let eligible: Vec<&Tried> = tried.iter().filter(|t| t.candidate.refused.is_none()).collect();
        if let Some((best, reason)) = best(&eligible, self) {
            return Ok(Choice { purchases: best.purchases.clone(), reason, candidates });
        }
        let (purchases, reason) = without_dropout(nbd, full, self, &tried);
        Ok(Choice { purchases, reason, candidates })
    }
}

/// What a candidate is held against.
struct Trial<'a> {
    full: &'a Summaries,
    holdout: Option<Holdout<'a>>,
    /// The log-likelihood of the NBD on the full data.
    nbd: f64,
}

struct Tried {
    candidate: Candidate,
    purchases: Purchases,
}

impl Trial<'_> {
    /// The models that the choice allows, in the order of preference.
    fn all(&self, choice: ModelChoice) -> Result<Vec<Tried>, Error> {
        let auto = choice == ModelChoice::Auto;
        let may = |model: ModelChoice| auto || choice == model;
        let bg = || may(ModelChoice::BgNbd).then(|| self.one(auto, Purchases::BgNbd));
        let mbg = || may(ModelChoice::MbgNbd).then(|| self.one(auto, Purchases::MbgNbd));
        let pareto = || may(ModelChoice::ParetoNbd).then(|| self.one(auto, Purchases::ParetoNbd));
        let (pareto, (bg, mbg)) = rayon::join(pareto, || rayon::join(bg, mbg));
        [bg, mbg, pareto].into_iter().flatten().collect()
    }

    fn one<M: Process>(&self, auto: bool, wrap: fn(Fitted<M>) -> Purchases) -> Result<Tried, Error> {
        let fitted = Fitted::<M>::fit(self.full)?;
        let refused = fitted.refused(self.nbd);
        let score = (auto && refused.is_none()).then(|| self.held_out(&fitted.model)).flatten();
        Ok(Tried { candidate: fitted.candidate(refused, score), purchases: wrap(fitted) })
    }

    fn held_out<M: Process>(&self, near: &M) -> Option<f64> {
        let Holdout { calibration, extended } = self.holdout?;
        let fitted = Fitted::fit_from(calibration, std::slice::from_ref(near)).ok()?;
        let extended = fitted.model.score(extended).value;
        extended.is_finite().then_some(extended - fitted.log_likelihood)
    }
}

/// The best of the eligible and why; the first of equals.
fn best<'a>(eligible: &[&'a Tried], choice: ModelChoice) -> Option<(&'a Tried, String)> {
    let first = *eligible.first()?;
    if choice != ModelChoice::Auto {
        return Some((first, "chosen in the settings".to_owned()));
    }
    let held_out: Option<Vec<f64>> = eligible.iter().map(|t| t.candidate.holdout_log_likelihood).collect();
    let (scores, what) = match held_out {
        Some(scores) => (scores, "best log-likelihood on the holdout"),
        None => {
            let full = eligible.iter().map(|t| t.candidate.log_likelihood).collect();
            (full, "best log-likelihood, as no holdout could be judged")
        }
    };
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let at = scores.iter().position(|s| *s >= top)?;
    let list: Vec<String> =
        eligible.iter().zip(&scores).map(|(t, s)| format!("{} {s:.2}", t.candidate.name)).collect();
    Some((eligible[at], format!("{what}: {}", list.join(", "))))
}

fn without_dropout(
    nbd: Fitted<Nbd>,
    full: &Summaries,
    choice: ModelChoice,
    tried: &[Tried],
) -> (Purchases, String) {
    let why = |t: &Tried| t.candidate.refused.as_ref().map(|why| format!("{}: {why}", t.candidate.name));
    let refused: Vec<String> = tried.iter().filter_map(why).collect();
    let mut reason = match choice {
        ModelChoice::Nbd => "chosen in the settings".to_owned(),
        _ => format!("dropout cannot be identified ({})", refused.join("; ")),
    };
    if nbd.at_bound.is_none() {
        return (Purchases::Nbd(nbd), reason);
    }
    reason.push_str(", and purchase rates do not differ between customers");
    (Purchases::Poisson(Poisson::fit(full)), reason)
}

#[cfg(test)]
mod tests;
