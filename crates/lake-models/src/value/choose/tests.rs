//! The choice among candidates whose scores are known.

use super::*;

fn tried(name: &'static str, holdout: Option<f64>, full: f64) -> Tried {
    let candidate = Candidate {
        name,
        parameters: Vec::new(),
        log_likelihood: full,
        holdout_log_likelihood: holdout,
        converged: true,
        refused: None,
    };
    Tried { candidate, purchases: Purchases::Poisson(Poisson { lambda: 1.0 }) }
}

#[test]
fn the_first_of_equals_wins() {
    let (bg, mbg) = (tried("bg_nbd", Some(-5.0), -9.0), tried("mbg_nbd", Some(-5.0), -8.0));
    let (winner, reason) = best(&[&bg, &mbg], ModelChoice::Auto).unwrap();
    assert_eq!(winner.candidate.name, "bg_nbd");
    assert_eq!(reason, "best log-likelihood on the holdout: bg_nbd -5.00, mbg_nbd -5.00");
}

#[test]
fn without_a_holdout_for_all_the_full_fit_decides() {
    let (bg, mbg) = (tried("bg_nbd", None, -9.0), tried("mbg_nbd", Some(-5.0), -8.0));
    let (winner, reason) = best(&[&bg, &mbg], ModelChoice::Auto).unwrap();
    assert_eq!(winner.candidate.name, "mbg_nbd");
    assert!(reason.contains("no holdout"), "{reason}");
}
