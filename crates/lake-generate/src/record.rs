//! A record as eight texts, for the few records that are not written straight: the odd and the faulty.
//! Texts are UTF-8 here and encoded when written; what a fault does to them is told in one place.

use crate::basket::Line;
use crate::catalogue::Product;
use crate::chance::Chance;
use crate::deliveries::Dialect;
use crate::faults::Fault;
use crate::job::Buyer;
use crate::text;

pub(crate) const INVOICE: usize = 0;
pub(crate) const CODE: usize = 1;
pub(crate) const DESCRIPTION: usize = 2;
pub(crate) const QUANTITY: usize = 3;
pub(crate) const DATE: usize = 4;
pub(crate) const PRICE: usize = 5;
pub(crate) const CUSTOMER: usize = 6;
pub(crate) const COUNTRY: usize = 7;

/// The eight fields of a record.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub fields: [String; 8],
}

const BAD_QUANTITIES: [&str; 4] = ["six", "2.5", "", "1 dozen"];
const BAD_PRICES: [&str; 4] = ["free", "", "2.x5", "GBP 3"];
const FIVE_DECIMALS: [&str; 3] = ["2.55123", "0.00001", "12.34567"];
const BAD_DATES: [&str; 6] =
    ["2/30/2011 10:15", "13/1/2011 9:00", "2011-02-30 10:15:00", "yesterday", "", "2011-06-15 25:61:00"];
const BAD_CUSTOMERS: [&str; 3] = ["guest", "17850X", "n/a"];
const WRITE_OFFS: [&str; 4] = ["damages", "thrown away", "?", "wet/rusty"];

fn one_of<'a>(texts: &[&'a str], chance: &mut Chance) -> &'a str {
    texts[chance.below(texts.len() as u32) as usize]
}

impl Record {
    /// Writes out what is common to the lines of an invoice and leaves the rest empty.
    pub fn of_invoice(invoice: String, when: Vec<u8>, buyer: &Buyer, dialect: Dialect) -> Self {
        let mut fields: [String; 8] = Default::default();
        fields[INVOICE] = invoice;
        let mut customer_id = Vec::new();
        customer(buyer, dialect, &mut customer_id);
        fields[DATE] = ascii(when);
        fields[CUSTOMER] = ascii(customer_id);
        fields[COUNTRY] = crate::countries::COUNTRIES[usize::from(buyer.country)].0.to_owned();
        Record { fields }
    }

    /// Fills in product, quantity and price.
    pub fn with(&self, code: &str, description: &str, quantity: i64, pence: i64, dialect: Dialect) -> Self {
        let mut record = self.clone();
        record.fields[CODE] = code.to_owned();
        record.fields[DESCRIPTION] = description.to_owned();
        record.fields[QUANTITY] = quantity.to_string();
        record.fields[PRICE] = price(pence, dialect);
        record
    }

    /// A sale line with the look it was given.
    pub fn of_line(&self, line: &Line, product: &Product, dialect: Dialect) -> Self {
        let (quantity, pence) = (i64::from(line.quantity), i64::from(line.price));
        let mut record = self.with(&product.code, &product.description, quantity, pence, dialect);
        let fields = &mut record.fields;
        match line.look {
            Some(Fault::LowerCase) => {
                fields[CODE].make_ascii_lowercase();
                fields[DESCRIPTION].make_ascii_lowercase();
            }
            Some(Fault::TrailingBlanks) => {
                let field = [CODE, DESCRIPTION, DESCRIPTION, COUNTRY][(line.bits % 4) as usize];
                fields[field].push_str("  ");
            }
            Some(Fault::NonAscii) => fields[DESCRIPTION].push_str(" £1"),
            Some(Fault::NewlineInQuotes) => fields[DESCRIPTION].push_str("\nBOXED"),
            Some(Fault::MissingDescription) => fields[DESCRIPTION].clear(),
            Some(Fault::DecimalQuantity) => fields[QUANTITY].push_str(".0"),
            _ => {}
        }
        record
    }

    /// Writes the same values in other words: blanks, cases, trailing zeros.
    pub fn disguise(&mut self, chance: &mut Chance) {
        let fields = &mut self.fields;
        let bits = chance.word();
        fields[CODE] = format!(" {} ", fields[CODE].to_ascii_lowercase());
        if bits & 1 != 0 {
            fields[INVOICE].push(' ');
        }
        if bits & 2 != 0 {
            fields[DESCRIPTION] = fields[DESCRIPTION].to_lowercase().replace(' ', "  ");
        }
        if bits & 4 != 0 && !fields[QUANTITY].contains('.') {
            fields[QUANTITY].push_str(".0");
        }
        if bits & 8 != 0 {
            fields[PRICE].push_str(if fields[PRICE].contains('.') { "0" } else { ".00" });
        }
        if bits & 16 != 0 && !fields[CUSTOMER].is_empty() {
            fields[CUSTOMER] = match fields[CUSTOMER].strip_suffix(".0") {
                Some(whole) => whole.to_owned(),
                None => format!("{}.0", fields[CUSTOMER]),
            };
        }
        if bits & 32 != 0 {
            fields[COUNTRY].push(' ');
        }
    }

    /// Spoils a valid record so that the fault's rule is the first it breaks.
    pub fn spoil(&mut self, fault: Fault, chance: &mut Chance) {
        let fields = &mut self.fields;
        match fault {
            Fault::MissingInvoiceNo => fields[INVOICE].clear(),
            Fault::MissingStockCode => fields[CODE].clear(),
            Fault::BadQuantity => fields[QUANTITY] = one_of(&BAD_QUANTITIES, chance).to_owned(),
            Fault::BadPrice => fields[PRICE] = one_of(&BAD_PRICES, chance).to_owned(),
            Fault::FiveDecimals => fields[PRICE] = one_of(&FIVE_DECIMALS, chance).to_owned(),
            Fault::BadDate => fields[DATE] = one_of(&BAD_DATES, chance).to_owned(),
            Fault::BadCustomer => fields[CUSTOMER] = one_of(&BAD_CUSTOMERS, chance).to_owned(),
            Fault::ZeroQuantity => fields[QUANTITY] = "0".to_owned(),
            Fault::ZeroPrice => fields[PRICE] = "0".to_owned(),
            Fault::NegativePrice => fields[PRICE].insert(0, '-'),
            Fault::NegativeSale => fields[QUANTITY].insert(0, '-'),
            Fault::WriteOff => {
                fields[QUANTITY].insert(0, '-');
                fields[PRICE] = "0".to_owned();
                fields[CUSTOMER].clear();
                fields[DESCRIPTION] = one_of(&WRITE_OFFS, chance).to_owned();
            }
            _ => {}
        }
    }

    /// The record in a file's encoding, quoted where needed, without a line end.
    pub fn write(&self, out: &mut Vec<u8>, dialect: Dialect) {
        self.write_first(self.fields.len(), out, dialect);
    }

    /// The first `count` fields only.
    pub fn write_first(&self, count: usize, out: &mut Vec<u8>, dialect: Dialect) {
        for (index, value) in self.fields.iter().take(count).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match value.is_ascii() {
                true => text::field(out, value.as_bytes()),
                false => text::field(out, &dialect.encode(value)),
            }
        }
    }
}

/// Appends a customer as the dialect writes it; nothing for guests.
pub(crate) fn customer(buyer: &Buyer, dialect: Dialect, out: &mut Vec<u8>) {
    let Some(id) = buyer.id() else { return };
    text::integer(out, id as i64);
    if dialect != Dialect::MonthFirst {
        out.extend_from_slice(b".0");
    }
}

fn price(pence: i64, dialect: Dialect) -> String {
    let mut out = Vec::new();
    text::money(&mut out, pence, dialect.whole_pounds());
    ascii(out)
}

fn ascii(bytes: Vec<u8>) -> String {
    bytes.into_iter().map(char::from).collect()
}
