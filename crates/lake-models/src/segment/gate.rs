//! The gate before publication.

use super::SegmentParams;

/// Whether segments may be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// They may.
    pub may_publish: bool,
    /// Why, or why not.
    pub reason: String,
}

impl Verdict {
    /// Good enough by themselves, or not much worse than what is published.
    pub(super) fn of(params: &SegmentParams, silhouette: f64, published: Option<f64>) -> Self {
        let (least, loss) = (params.least_silhouette, params.largest_loss);
        let (may_publish, reason) = match published {
            _ if silhouette >= least => (true, format!("silhouette {silhouette:.3} is at least {least}")),
            // A first publication takes nothing away; its reason says how weak it is.
            None => {
                (true, format!("silhouette {silhouette:.3} is below {least}, but nothing is published yet"))
            }
            Some(p) if silhouette >= p - loss => (
                true,
                format!(
                    "silhouette {silhouette:.3} is below {least}, but at most {loss} below the published {p:.3}"
                ),
            ),
            Some(p) => (
                false,
                format!(
                    "silhouette {silhouette:.3} is below {least} and more than {loss} below the published {p:.3}"
                ),
            ),
        };
        Verdict { may_publish, reason }
    }
}
