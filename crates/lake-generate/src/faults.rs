//! Every kind of fault that may be planted, how often, and where the lake must put its record.
//! The rates are per sale line at the normal level. Never decides what a fault looks like.

use crate::chance::Chance;

/// Where a record must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Transactions,
    Duplicate,
    Rejected(Rule),
}

/// The rules of `silver.transactions`, in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    MalformedRecord,
    MissingInvoiceNo,
    MissingStockCode,
    UnparseableQuantity,
    UnparseableUnitPrice,
    UnparseableInvoiceDate,
    UnparseableCustomerId,
    ZeroQuantity,
    NonPositivePrice,
    NegativeSale,
    PositiveReturn,
}

pub(crate) const RULES: [&str; 11] = [
    "malformed_record",
    "missing_invoice_no",
    "missing_stock_code",
    "unparseable_quantity",
    "unparseable_unit_price",
    "unparseable_invoice_date",
    "unparseable_customer_id",
    "zero_quantity",
    "non_positive_price",
    "negative_sale",
    "positive_return",
];

impl Fate {
    pub fn name(self) -> &'static str {
        match self {
            Fate::Transactions => "transactions",
            Fate::Duplicate => "duplicate",
            Fate::Rejected(rule) => RULES[rule as usize],
        }
    }
}

/// What can be wrong with a record, or at least odd about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    DuplicateAdjacent,
    DuplicateLaterInInvoice,
    DuplicateByValue,
    DuplicateLate,
    DuplicateOfRejected,
    TooFewFields,
    TooManyFields,
    MissingInvoiceNo,
    MissingStockCode,
    BadQuantity,
    BadPrice,
    FiveDecimals,
    BadDate,
    BadCustomer,
    ZeroQuantity,
    ZeroPrice,
    NegativePrice,
    WriteOff,
    NegativeSale,
    PositiveReturn,
    LateLine,
    LowerCase,
    TrailingBlanks,
    NonAscii,
    NewlineInQuotes,
    MissingDescription,
    DecimalQuantity,
    LowerCaseInvoice,
    Adjustment,
}

use Fault::*;

impl Fault {
    pub fn name(self) -> &'static str {
        match self {
            DuplicateAdjacent => "duplicate_adjacent",
            DuplicateLaterInInvoice => "duplicate_later_in_invoice",
            DuplicateByValue => "duplicate_by_value",
            DuplicateLate => "duplicate_late",
            DuplicateOfRejected => "duplicate_of_rejected",
            TooFewFields => "too_few_fields",
            TooManyFields => "too_many_fields",
            MissingInvoiceNo => "missing_invoice_no",
            MissingStockCode => "missing_stock_code",
            BadQuantity => "bad_quantity",
            BadPrice => "bad_price",
            FiveDecimals => "five_decimals",
            BadDate => "bad_date",
            BadCustomer => "bad_customer",
            ZeroQuantity => "zero_quantity",
            ZeroPrice => "zero_price",
            NegativePrice => "negative_price",
            WriteOff => "write_off",
            NegativeSale => "negative_sale",
            PositiveReturn => "positive_return",
            LateLine => "late_line",
            LowerCase => "lower_case",
            TrailingBlanks => "trailing_blanks",
            NonAscii => "non_ascii",
            NewlineInQuotes => "newline_in_quotes",
            MissingDescription => "missing_description",
            DecimalQuantity => "decimal_quantity",
            LowerCaseInvoice => "lower_case_invoice",
            Adjustment => "adjustment",
        }
    }

    /// Where the record with this fault must end.
    pub fn fate(self) -> Fate {
        match self {
            DuplicateAdjacent
            | DuplicateLaterInInvoice
            | DuplicateByValue
            | DuplicateLate
            | DuplicateOfRejected => Fate::Duplicate,
            TooFewFields | TooManyFields => Fate::Rejected(Rule::MalformedRecord),
            MissingInvoiceNo => Fate::Rejected(Rule::MissingInvoiceNo),
            MissingStockCode => Fate::Rejected(Rule::MissingStockCode),
            BadQuantity => Fate::Rejected(Rule::UnparseableQuantity),
            BadPrice | FiveDecimals => Fate::Rejected(Rule::UnparseableUnitPrice),
            BadDate => Fate::Rejected(Rule::UnparseableInvoiceDate),
            BadCustomer => Fate::Rejected(Rule::UnparseableCustomerId),
            ZeroQuantity => Fate::Rejected(Rule::ZeroQuantity),
            ZeroPrice | NegativePrice | WriteOff => Fate::Rejected(Rule::NonPositivePrice),
            NegativeSale => Fate::Rejected(Rule::NegativeSale),
            PositiveReturn => Fate::Rejected(Rule::PositiveReturn),
            LateLine | LowerCase | TrailingBlanks | NonAscii | NewlineInQuotes | MissingDescription
            | DecimalQuantity | LowerCaseInvoice | Adjustment => Fate::Transactions,
        }
    }
}

/// Records added after a sale line. The sale itself stays as it was, so that dirt never changes the
/// clean data underneath.
pub(crate) const ADDED: [(Fault, f64); 19] = [
    (DuplicateAdjacent, 0.004),
    (DuplicateLaterInInvoice, 0.003),
    (DuplicateByValue, 0.002),
    (DuplicateOfRejected, 0.0002),
    (TooFewFields, 0.0002),
    (TooManyFields, 0.0002),
    (MissingInvoiceNo, 0.0002),
    (MissingStockCode, 0.0002),
    (BadQuantity, 0.0003),
    (BadPrice, 0.0002),
    (FiveDecimals, 0.0001),
    (BadDate, 0.0003),
    (BadCustomer, 0.0002),
    (ZeroQuantity, 0.0003),
    (ZeroPrice, 0.002),
    (NegativePrice, 0.0002),
    (WriteOff, 0.001),
    (NegativeSale, 0.0005),
    // Drawn on return lines only, at the rate below.
    (PositiveReturn, 0.0),
];

/// Odd looks of a sale line that is valid all the same.
pub(crate) const LOOKS: [(Fault, f64); 6] = [
    (LowerCase, 0.005),
    (TrailingBlanks, 0.01),
    (NonAscii, 0.0005),
    (NewlineInQuotes, 0.0001),
    (MissingDescription, 0.002),
    (DecimalQuantity, 0.001),
];

/// Positive quantities added per return line.
pub(crate) const POSITIVE_RETURN: f64 = 0.02;
/// Return invoices written with a small `c`.
pub(crate) const LOWER_CASE_INVOICE: f64 = 0.02;
/// Records that arrive after their invoice, per sale line.
pub(crate) const LATE: f64 = 0.001;
/// Adjustment invoices, per sale line; never fewer than three.
pub(crate) const ADJUSTMENTS: f64 = 0.000_01;

/// Cumulative thresholds for drawing one of several faults, or none, with one word of chance.
#[derive(Debug)]
pub(crate) struct Table {
    steps: Vec<(u32, Fault)>,
    any: u32,
}

impl Table {
    /// The rates times `factor`.
    pub fn new(rates: &[(Fault, f64)], factor: f64) -> Self {
        let mut sum = 0.0;
        let step = |&(fault, rate): &(Fault, f64)| {
            sum += rate * factor * f64::from(u32::MAX);
            (sum as u32, fault)
        };
        let steps: Vec<_> = rates.iter().map(step).collect();
        Table { any: steps.last().map_or(0, |&(threshold, _)| threshold), steps }
    }

    /// Draws a fault; mostly none.
    #[inline]
    pub fn draw(&self, chance: &mut Chance) -> Option<Fault> {
        let word = chance.word();
        if word >= self.any {
            return None;
        }
        self.steps.iter().find(|&&(threshold, _)| word < threshold).map(|&(_, fault)| fault)
    }
}
