//! The models against published figures and those of statsmodels 0.15.0 and statsforecast 2.1.1.

use super::super::accuracy::{Accuracy, Scored};
use super::super::ets::{self, Ets, Smoothing, Spec, State, Trend};
use super::super::grid::Grid;
use super::super::reconcile::mint;
use super::super::season::{Form, indices, is_seasonal};
use super::super::simplex::minimise;
use super::super::theta::Theta;

/// Oil production of Saudi Arabia 1996–2007 (Hyndman & Athanasopoulos, "Forecasting: principles and
/// practice", first edition, section 7.1).
const OIL: [f64; 12] = [
    446.6565, 454.4733, 455.663, 423.6322, 456.2713, 440.5881, 425.3325, 485.1494, 506.0482, 526.792,
    514.2689, 494.211,
];

/// Visitor nights of international tourists to Australia, by quarter from 1999 (ibid., section 7.5).
const TOURISTS: [f64; 48] = [
    30.052513,
    19.148496,
    25.317692,
    27.591437,
    32.076456,
    23.487961,
    28.47594,
    35.123753,
    36.838485,
    25.007017,
    30.72223,
    28.693759,
    36.640986,
    23.824609,
    29.311683,
    31.770309,
    35.177877,
    19.775244,
    29.60175,
    34.538842,
    41.273599,
    26.655862,
    28.279859,
    35.191153,
    42.20566386,
    24.64917133,
    32.66733514,
    37.25735401,
    45.24246027,
    29.35048127,
    36.34420728,
    41.78208136,
    49.27659843,
    31.27540139,
    37.85062549,
    38.83704413,
    51.23690034,
    31.83855162,
    41.32342126,
    42.79900337,
    55.70835836,
    33.40714492,
    42.31663797,
    45.15712257,
    59.57607996,
    34.83733016,
    44.84168072,
    46.9712496,
];

/// Flow of the Nile at Aswan, 1871–1930.
const NILE: [f64; 60] = [
    1120., 1160., 963., 1210., 1160., 1160., 813., 1230., 1370., 1140., 995., 935., 1110., 994., 1020., 960.,
    1180., 799., 958., 1140., 1100., 1210., 1150., 1250., 1260., 1220., 1030., 1100., 774., 840., 874., 694.,
    940., 833., 701., 916., 692., 1020., 1050., 969., 831., 726., 456., 824., 702., 1120., 1100., 832., 764.,
    821., 768., 845., 864., 862., 698., 845., 744., 796., 1040., 759.,
];

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{found:?} is not {expected:?}");
    }
}

/// The log-likelihood with its constant, as statsmodels reports it.
fn log_likelihood(fit: &ets::Fit, n: usize) -> f64 {
    let n = n as f64;
    -0.5 * n * ((std::f64::consts::TAU * fit.sse / n).ln() + 1.0) - fit.log_scale
}

#[test]
fn simple_exponential_smoothing_is_the_books() {
    // The book and statsmodels: α = 0.892, ℓ_0 = 447.48, forecast 496.49; AICc 120.4245.
    let model = Ets::fit(&Grid::of(1, &OIL), Spec { trend: Trend::None, season: None }).unwrap();
    assert!((model.smoothing.alpha - 0.892).abs() < 5e-4, "{model:?}");
    assert_near(&[model.forecast(1), model.forecast(9)], &[496.4935, 496.4935], 1e-5);
    let constant = 12.0 * ((std::f64::consts::TAU / 12.0).ln() + 1.0);
    assert_near(&[model.aicc + constant], &[120.424455], 1e-6);
}

#[test]
fn seasonal_recursions_are_those_of_statsmodels_and_statsforecast() {
    // First states 30, 0.5 and the indices below. Additive: the log-likelihood and forecasts of statsmodels'
    // ETSModel(..).smooth(params). Multiplicative: the likelihood of statsforecast's pegelsresid_C, as R's
    // (statsmodels divides by the level after, not before, the observation).
    let smoothing = |phi: f64| Smoothing { alpha: 0.3, beta: 0.05, gamma: 0.2, phi };
    let additive = vec![2.0, 1.0, -7.0, 4.0];
    let multiplicative = vec![1.05, 0.95, 0.75, 1.25];
    let cases = [
        (Trend::Damped, Form::Additive, -135.877127496, [56.86202438, 37.48946319, 45.21869699, 48.17205453]),
        (
            Trend::Additive,
            Form::Additive,
            -135.783717541,
            [57.58130069, 38.43425255, 46.41570848, 49.64243938],
        ),
        (
            Trend::Additive,
            Form::Multiplicative,
            -138.664254787,
            [59.62085017, 36.86393752, 45.73423514, 50.09816411],
        ),
        (
            Trend::Damped,
            Form::Multiplicative,
            -138.527423818,
            [58.78704604, 36.14283165, 44.64224931, 48.58508420],
        ),
    ];
    for (trend, form, llf, expected) in cases {
        let season = if form == Form::Additive { additive.clone() } else { multiplicative.clone() };
        let spec = Spec { trend, season: Some(form) };
        let p = smoothing(if trend == Trend::Damped { 0.9 } else { 1.0 });
        let values = Grid::of(4, &TOURISTS).values;
        let (state, fit) = ets::run(spec, p, State::new(30.0, 0.5, season), &values).unwrap();
        let model = Ets { spec, smoothing: p, state, aicc: 0.0 };
        assert_near(&[log_likelihood(&fit, 48)], &[llf], 1e-9);
        assert_near(&(1..=4).map(|h| model.forecast(h)).collect::<Vec<_>>(), &expected, 1e-8);
    }
}

#[test]
fn holt_winters_is_chosen_by_aicc_for_tourists() {
    // statsmodels' best AICc is that of (M, A, M); it forecasts 57.92, 36.48, 45.68, 50.24. Ours differs by
    // its heuristic first seasonal indices.
    let found = ets::forecast(&Grid::of(4, &TOURISTS), 4).unwrap();
    assert_near(&found, &[57.92, 36.48, 45.68, 50.24], 0.04);
}

#[test]
fn a_missing_value_leaves_the_states_as_predicted() {
    let spec = Spec { trend: Trend::Additive, season: Some(Form::Additive) };
    let p = Smoothing { alpha: 0.3, beta: 0.05, gamma: 0.2, phi: 1.0 };
    let start = State::new(10.0, 1.0, vec![1.0, -1.0]);
    let (state, fit) = ets::run(spec, p, start, &[None, None, None]).unwrap();
    assert_eq!((state.level, state.slope, fit.sse), (13.0, 1.0, 0.0));
    assert_eq!(Ets { spec, smoothing: p, state, aicc: 0.0 }.forecast(1), 13.0);
}

#[test]
fn theta_recursions_are_those_of_statsforecast() {
    // Theta and OptimizedTheta(season_length=1) on the Nile, at the parameters they report.
    let cases = [
        (
            2.0,
            621.2279404997826,
            0.17628557793795852,
            [814.8266195226, 811.6075169942, 808.3884144656, 727.9108512536],
        ),
        (
            100.81576586915918,
            54.87658308247252,
            0.10000000000005775,
            [778.9192604543, 772.5449164909, 766.1705725275, 606.8119734426],
        ),
    ];
    for (theta, level, alpha, expected) in cases {
        let model = Theta::at(&NILE, level, alpha, theta).unwrap();
        assert_near(&[1, 2, 3, 28].map(|h| model.forecast(h)), &expected, 1e-9);
    }
}

#[test]
fn theta_drifts_by_half_the_slope() {
    // The slope of the forecasts is half that of the regression at θ = 2 (Hyndman & Billah 2003).
    let model = Theta::fit(&NILE, Some(2.0)).unwrap();
    assert_near(&[model.forecast(2) - model.forecast(1)], &[-6.438205 / 2.0], 1e-6);
    assert!((0.1..0.3).contains(&model.alpha), "{model:?}");
    assert_near(&[model.forecast(1)], &[814.83], 0.01);
}

#[test]
fn decomposition_is_that_of_statsmodels() {
    // seasonal_decompose(.., period=4).
    let found = indices(&TOURISTS, 4, Form::Multiplicative).unwrap();
    assert_near(&found, &[1.23848595, 0.77041047, 0.95394253, 1.03716105], 1e-8);
    let found = indices(&TOURISTS, 4, Form::Additive).unwrap();
    assert_near(&found, &[8.66151361, -8.24827418, -1.61020731, 1.19696789], 1e-8);
    assert!(is_seasonal(&TOURISTS, 4) && !is_seasonal(&NILE, 7));
}

#[test]
fn the_simplex_finds_the_valley_of_rosenbrock() {
    let (x, value) = minimise(
        |x| 100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2),
        &[-1.2, 1.0],
        &[0.5, 0.5],
        2000,
    );
    assert!(value < 1e-12 && (x[0] - 1.0).abs() < 1e-5, "{x:?} {value}");
}

#[test]
fn errors_are_scaled_as_published() {
    // Actual 10, 0, 4; forecast 8, 0, 8; naive MAE 2 and MSE 8.
    let scored = Scored {
        days: vec![(1, 10.0, 8.0), (2, 0.0, 0.0), (3, 4.0, 8.0)],
        mae_naive: Some(2.0),
        mse_naive: Some(8.0),
    };
    let found = Accuracy::of(&[scored]).unwrap();
    assert_near(&[found.mase.unwrap(), found.mae, found.bias], &[1.0, 2.0, 2.0 / 3.0], 1e-12);
    assert_near(&[found.smape], &[200.0 / 3.0 * (2.0 / 18.0 + 4.0 / 12.0)], 1e-12);
    assert_near(&[found.rmsse.unwrap()], &[(20.0f64 / 3.0 / 8.0).sqrt()], 1e-12);
}

#[test]
fn mint_is_generalised_least_squares() {
    // Total 10, parts 4 and 5, variances 2, 1, 3. The normal equations of (S' W⁻¹ S) b = S' W⁻¹ ŷ are
    // 3/2 b₁ + 1/2 b₂ = 9 and 1/2 b₁ + 5/6 b₂ = 20/3.
    let found = mint(&[10.0], &[&[4.0], &[5.0]], 2.0, &[1.0, 3.0]);
    let determinant = 1.5 * 5.0 / 6.0 - 0.25;
    let expected = [(9.0 * 5.0 / 6.0 - 20.0 / 6.0) / determinant, (1.5 * 20.0 / 3.0 - 4.5) / determinant];
    assert_near(&[found[0][0], found[1][0]], &expected, 1e-12);
}
