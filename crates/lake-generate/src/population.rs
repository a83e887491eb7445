//! The customers: who they are, when they buy and how much they mean to spend.
//!
//! Purchases follow the BG/NBD model (Fader, Hardie & Lee 2005): after the first purchase a customer buys at
//! rate λ ~ Gamma(r, α) per week and drops out after each repeat purchase with probability p ~ Beta(a, b).
//! Spend per purchase day follows the Gamma–Gamma model (Fader & Hardie 2013): z ~ Gamma(p, ν) with
//! ν ~ Gamma(q, v), independent of λ and p. A customer has at most one purchase on a day: one that would fall on
//! the day of the last is moved to the next trading day, so that no purchase is lost to collapsing days.
//! Nothing here knows of products, files or faults.

use crate::calendar::Calendar;
use crate::chance::{Chance, Stream};
use crate::countries;

/// BG/NBD parameters; time in weeks.
pub(crate) const R: f64 = 0.9;
pub(crate) const ALPHA: f64 = 6.5;
pub(crate) const A: f64 = 0.8;
pub(crate) const B: f64 = 2.6;

/// Gamma–Gamma shapes; the scale v follows from the lines asked for.
pub(crate) const P: f64 = 4.0;
pub(crate) const Q: f64 = 4.2;

/// One customer in so many is a wholesale whale, and its spend and lines are multiplied.
pub(crate) const WHALE_EVERY: u64 = 500;
pub(crate) const WHALE_SPEND: f64 = 25.0;
pub(crate) const WHALE_LINES: f64 = 2.5;

/// What a customer likes to buy; the customers' true groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Few pieces of dear things.
    Gift,
    /// A handful of middling things.
    Home,
    /// Cheap things by the dozen.
    Trade,
}

impl Style {
    pub const ALL: [Style; 3] = [Style::Gift, Style::Home, Style::Trade];
    /// Shares of the customers in each.
    pub const SHARES: [f64; 3] = [0.3, 0.45, 0.25];

    pub fn name(self) -> &'static str {
        match self {
            Style::Gift => "gift",
            Style::Home => "home",
            Style::Trade => "trade",
        }
    }

    fn draw(chance: &mut Chance) -> Self {
        let share = chance.unit();
        match share {
            _ if share <= Style::SHARES[0] => Style::Gift,
            _ if share <= Style::SHARES[0] + Style::SHARES[1] => Style::Home,
            _ => Style::Trade,
        }
    }
}

/// What never changes about a customer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Customer {
    /// λ, purchases per operational week.
    pub rate: f64,
    /// p, the probability of dropping out after a repeat purchase.
    pub dropout: f64,
    /// Expected spend of a purchase day in units of the population's: (q − 1) / (ν / v).
    pub spend: f64,
    /// Operational week of the first purchase.
    pub arrival: f64,
    pub style: Style,
    pub country: u8,
    pub whale: bool,
}

/// Where a customer's purchase process stands.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    week: f64,
    /// Trading days of the first and the last purchase.
    pub first_day: u32,
    pub last_day: u32,
    pub visits: u32,
    pub dropped: bool,
}

/// One purchase day of a customer or guest.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Visit {
    pub day: u32,
    pub minute: u16,
    /// Intended net spend in units of the population's expectation, whales' multiple left out.
    pub spend: f64,
}

/// A guest: one order, no name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guest {
    pub style: Style,
    pub country: u8,
    pub spend: f64,
}

/// All customers of a world.
#[derive(Debug)]
pub(crate) struct Population {
    seed: u64,
    pub customers: Vec<Customer>,
}

impl Population {
    pub fn new(seed: u64, count: u64, calendar: &Calendar) -> Self {
        let whale_at = Chance::new(seed, Stream::Customer, u64::MAX, 0).bits() % WHALE_EVERY.min(count);
        let customers = (0..count).map(|id| {
            let mut chance = Chance::new(seed, Stream::Customer, id, 0);
            Customer {
                rate: chance.gamma(R) / ALPHA,
                dropout: chance.beta(A, B),
                spend: (Q - 1.0) / chance.gamma(Q),
                arrival: calendar.arrival(&mut chance),
                style: Style::draw(&mut chance),
                country: countries::draw(&mut chance),
                whale: id % WHALE_EVERY == whale_at,
            }
        });
        Population { seed, customers: customers.collect() }
    }

    /// Draws a customer's next purchase day, if there is one within the period.
    pub fn next_visit(&self, id: u32, progress: &mut Progress, calendar: &Calendar) -> Option<Visit> {
        if progress.dropped {
            return None;
        }
        let customer = &self.customers[id as usize];
        let mut chance = Chance::new(self.seed, Stream::Visit, u64::from(id), u64::from(progress.visits));
        let repeat = progress.visits > 0;
        progress.week =
            if repeat { progress.week + chance.exponential() / customer.rate } else { customer.arrival };
        let mut day = calendar.day_at(progress.week)?;
        if repeat {
            day = day.max(progress.last_day + 1);
            if day as usize >= calendar.days() {
                return None;
            }
            progress.dropped = chance.happens(customer.dropout);
        } else {
            progress.first_day = day;
        }
        progress.last_day = day;
        progress.visits += 1;
        let spend = chance.gamma(P) / P * customer.spend;
        Some(Visit { day, minute: calendar.minute(day, &mut chance), spend })
    }

    /// Draws the guest who places the order of that number.
    pub fn guest(&self, order: u64) -> Guest {
        let mut chance = Chance::new(self.seed, Stream::Guest, order, 0);
        let (style, country) = (Style::draw(&mut chance), countries::draw(&mut chance));
        let spend = chance.gamma(P) / P * (Q - 1.0) / chance.gamma(Q);
        Guest { style, country, spend }
    }
}
