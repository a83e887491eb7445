//! The walker's orders to the renderers: one job per invoice, small, and complete in itself.
//! A sale's lines are a pure function of its [`Sale`], so that a return or a late repeat can be written
//! by whoever comes to it, without the sale being kept anywhere.

use crate::countries;
use crate::population::Style;

/// Who buys, and what is needed to write it down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Buyer {
    /// Index of the customer; none for guests.
    pub customer: Option<u32>,
    pub style: Style,
    pub country: u8,
}

/// The first customer's id, as in the real data.
pub(crate) const FIRST_CUSTOMER_ID: u64 = 12_346;

impl Buyer {
    /// A guest from the home country, who is charged fees.
    pub fn nobody() -> Self {
        Buyer { customer: None, style: Style::Home, country: countries::HOME }
    }

    pub fn id(&self) -> Option<u64> {
        self.customer.map(|index| FIRST_CUSTOMER_ID + u64::from(index))
    }
}

/// One sale invoice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sale {
    pub number: u32,
    pub buyer: Buyer,
    /// The customer's purchase, or the guest order, it belongs to, counted from 0.
    pub visit: u64,
    /// Large purchases are spread over several invoices, counted from 0.
    pub part: u32,
    pub day: u32,
    pub minute: u16,
    /// Intended net spend in pence.
    pub pence: i64,
    /// Product lines, those sold only to be returned left out.
    pub lines: u32,
    /// Something of it is returned later.
    pub returned: bool,
}

impl Sale {
    /// Two numbers that name the sale among all.
    pub fn key(&self) -> (u64, u64) {
        let who = self.buyer.customer.map_or(u64::MAX, u64::from);
        (who, self.visit.wrapping_shl(20) ^ u64::from(self.part))
    }
}

/// What a single-line invoice without products is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charge {
    Bank,
    AmazonFee,
    Manual,
    Sample,
    Charity,
    Voucher,
    /// `Adjust bad debt`, up or down.
    Adjustment {
        up: bool,
    },
}

impl Charge {
    pub const FEES: [Charge; 6] =
        [Charge::Bank, Charge::AmazonFee, Charge::Manual, Charge::Sample, Charge::Charity, Charge::Voucher];
}

/// One invoice to be written, or some late lines.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Job {
    Sale(Sale),
    Return {
        number: u32,
        day: u32,
        minute: u16,
        sale: Sale,
    },
    Charge {
        number: u32,
        day: u32,
        minute: u16,
        charge: Charge,
    },
    /// Some lines of an earlier sale once more, or one new line of it.
    Late {
        sale: Sale,
        fresh: bool,
    },
}

impl Job {
    /// Roughly how many lines it will make.
    pub fn size(&self) -> usize {
        match self {
            Job::Sale(sale) => sale.lines as usize,
            _ => 2,
        }
    }
}

/// Consecutive jobs for one file.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub file: u32,
    pub jobs: Vec<Job>,
}
