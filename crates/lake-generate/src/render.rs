//! Turns jobs into the bytes of a file, faults included.
//! Plain lines are copied together from prepared parts; anything odd goes through [`Record`].
//! A job is rendered alike by any thread: nothing is remembered from one to the next.

use crate::basket::{Basket, Line};
use crate::block::{Block, Place};
use crate::chance::{Chance, Stream};
use crate::countries::{COUNTRIES, HOME};
use crate::faults::{Fault, LOWER_CASE_INVOICE, POSITIVE_RETURN};
use crate::job::{Buyer, Charge, Chunk, Job, Sale};
use crate::record::{self, Record};
use crate::tally::Account;
use crate::text;
use crate::world::World;
use std::mem;

/// Bytes of a line, generously, to size a block.
const LINE_BYTES: usize = 110;
/// Postage on orders from abroad; carriage, manual lines and dotcom postage on orders from home.
const POSTAGE: f64 = 0.6;
const CARRIAGE: f64 = 0.002;
const MANUAL: f64 = 0.008;
const DOTCOM: f64 = 0.05;
/// Discounts on return invoices.
const DISCOUNT: f64 = 0.03;

/// What the lines of an invoice have in common, ready to be copied.
struct Paper {
    head: Vec<u8>,
    when: Vec<u8>,
    tail: Vec<u8>,
}

/// Renders chunks, one after another.
pub(crate) struct Renderer<'w> {
    world: &'w World,
    basket: Basket,
    block: Block,
    day: Option<u32>,
    date: String,
}

impl<'w> Renderer<'w> {
    pub fn new(world: &'w World) -> Self {
        let block = Block::new(0, world.deliveries.files[0].dialect, 0);
        Renderer { world, basket: Basket::new(), block, day: None, date: String::new() }
    }

    pub fn render(&mut self, chunk: &Chunk) -> Block {
        let dialect = self.world.deliveries.files[chunk.file as usize].dialect;
        let size = chunk.jobs.iter().map(|job| job.size() * LINE_BYTES).sum();
        let fresh = Block::new(chunk.file, dialect, size);
        self.block = fresh;
        self.day = None;
        for job in &chunk.jobs {
            match job {
                Job::Sale(sale) => self.sale(sale),
                Job::Return { number, day, minute, sale } => self.give_back(*number, *day, *minute, sale),
                Job::Charge { number, day, minute, charge } => self.charge(*number, *day, *minute, *charge),
                Job::Late { sale, fresh } => self.late(sale, *fresh),
            }
        }
        mem::replace(&mut self.block, Block::new(chunk.file, dialect, 0))
    }

    /// A sale: its products, its charges, the faults planted between them, and repeats at the end.
    fn sale(&mut self, sale: &Sale) {
        self.basket.fill(self.world, sale);
        let paper = self.paper("", sale.number, sale.day, sale.minute, &sale.buyer);
        let (a, b) = sale.key();
        let mut chance = Chance::new(self.world.seed, Stream::Fault, a, b);
        let lines = mem::take(&mut self.basket.lines);
        let mut later = Vec::new();
        self.block.tally.invoices += 1;
        for line in &lines {
            let (quantity, pence) = (i64::from(line.quantity), i64::from(line.price));
            let place = match line.look {
                None => self.plain(&paper, line.product, quantity, pence),
                Some(_) => self.odd(sale, line),
            };
            self.block.tally.book(Account::ProductSale, quantity, pence);
            match self.world.added.draw(&mut chance) {
                None => {}
                Some(Fault::DuplicateLaterInInvoice) => later.push(place),
                Some(fault) => self.add(sale, line, &place, fault, &mut chance),
            }
        }
        self.basket.lines = lines;
        if sale.part == 0 {
            self.charges_of(sale);
        }
        for place in later {
            self.block.again(&place, Fault::DuplicateLaterInInvoice);
        }
    }

    /// A line without anything to remark.
    #[inline]
    fn plain(&mut self, paper: &Paper, product: u16, quantity: i64, pence: i64) -> Place {
        let whole = self.block.dialect.whole_pounds();
        let out = &mut self.block.bytes;
        let start = out.len();
        out.extend_from_slice(&paper.head);
        out.extend_from_slice(&self.world.catalogue.products[usize::from(product)].csv);
        text::integer(out, quantity);
        out.extend_from_slice(&paper.when);
        text::money(out, pence, whole);
        out.extend_from_slice(&paper.tail);
        self.block.plain(start)
    }

    /// A valid line with an odd look, which is noted.
    fn odd(&mut self, sale: &Sale, line: &Line) -> Place {
        let record = self.record_of(sale, line);
        if let Some(look) = line.look {
            self.block.plant(look);
        }
        self.block.record(&record)
    }

    /// Adds a faulty record after a line.
    fn add(&mut self, sale: &Sale, line: &Line, place: &Place, fault: Fault, chance: &mut Chance) {
        match fault {
            Fault::DuplicateAdjacent => self.block.again(place, fault),
            Fault::DuplicateByValue => {
                let mut record = self.record_of(sale, line);
                record.disguise(chance);
                self.block.plant(fault);
                self.block.record(&record);
            }
            Fault::TooFewFields | Fault::TooManyFields => self.malformed(sale, fault, chance),
            Fault::DuplicateOfRejected => {
                const REJECTED: [Fault; 4] =
                    [Fault::ZeroPrice, Fault::BadDate, Fault::NegativeSale, Fault::BadQuantity];
                let rejected = self.spoilt(sale, REJECTED[chance.below(4) as usize], chance);
                self.block.again(&rejected, fault);
            }
            // Only a customer's one purchase of the day stays unlike all others without its number.
            Fault::MissingInvoiceNo if sale.buyer.customer.is_none() || sale.part > 0 => {
                self.spoilt(sale, Fault::ZeroQuantity, chance);
            }
            _ => {
                self.spoilt(sale, fault, chance);
            }
        }
    }

    /// A record of a product that the sale does not hold, spoilt.
    fn spoilt(&mut self, sale: &Sale, fault: Fault, chance: &mut Chance) -> Place {
        let mut record = self.other(sale, chance).0;
        record.spoil(fault, chance);
        self.block.plant(fault);
        self.block.record(&record)
    }

    /// A record with fields missing or too many.
    fn malformed(&mut self, sale: &Sale, fault: Fault, chance: &mut Chance) {
        let record = self.other(sale, chance).0;
        self.block.plant(fault);
        let start = self.block.bytes.len();
        if fault == Fault::TooManyFields {
            record.write(&mut self.block.bytes, self.block.dialect);
            self.block
                .bytes
                .extend_from_slice([&b",0"[..], b",,", b",see invoice"][chance.below(3) as usize]);
        } else {
            let fields = 3 + chance.below(5) as usize;
            record.write_first(fields, &mut self.block.bytes, self.block.dialect);
        }
        self.block.end(start);
    }

    /// A valid record of a product that the sale does not hold, with its quantity and pence.
    fn other(&mut self, sale: &Sale, chance: &mut Chance) -> (Record, i64, i64) {
        let product = self.basket.other(chance);
        let quantity = i64::from(1 + chance.below(24));
        let pence = i64::from(self.world.catalogue.price(product, sale.day, quantity));
        let template = self.template("", sale.number, sale.day, sale.minute, &sale.buyer);
        let product = &self.world.catalogue.products[usize::from(product)];
        let record = template.with(&product.code, &product.description, quantity, pence, self.block.dialect);
        (record, quantity, pence)
    }

    /// Postage and the like on a sale.
    fn charges_of(&mut self, sale: &Sale) {
        let (a, b) = sale.key();
        let mut chance = Chance::new(self.world.seed, Stream::Charge, a, b);
        let abroad = sale.buyer.country != HOME;
        let guest = sale.buyer.customer.is_none();
        let some = i64::from(1 + chance.below(3));
        if abroad && chance.happens(POSTAGE) {
            self.extra(sale, "POST", "POSTAGE", some, 1800);
        }
        if !abroad && guest && chance.happens(DOTCOM) {
            let pence = i64::from(500 + chance.below(60_000));
            self.extra(sale, "DOT", "DOTCOM POSTAGE", 1, pence);
        }
        if chance.happens(CARRIAGE) {
            self.extra(sale, "C2", "CARRIAGE", 1, 5000);
        }
        if chance.happens(MANUAL) {
            let pence = i64::from(50 + chance.below(20_000));
            self.extra(sale, "M", "Manual", some, pence);
        }
    }

    fn extra(&mut self, sale: &Sale, code: &str, description: &str, quantity: i64, pence: i64) {
        let template = self.template("", sale.number, sale.day, sale.minute, &sale.buyer);
        let record = template.with(code, description, quantity, pence, self.block.dialect);
        self.block.tally.book(Account::OtherCharge, quantity, pence);
        self.block.record(&record);
    }

    /// A return: what of an earlier sale comes back.
    fn give_back(&mut self, number: u32, day: u32, minute: u16, sale: &Sale) {
        self.basket.fill(self.world, sale);
        let mut chance = Chance::new(self.world.seed, Stream::Charge, u64::from(number), 1 << 60);
        let lower = chance.happens(LOWER_CASE_INVOICE * self.world.dirt);
        let sign = if lower { "c" } else { "C" };
        let paper = self.paper(sign, number, day, minute, &sale.buyer);
        let lines = mem::take(&mut self.basket.lines);
        self.block.tally.invoices += 1;
        for line in lines.iter().filter(|line| line.returned > 0) {
            let (quantity, pence) = (-i64::from(line.returned), i64::from(line.price));
            if lower {
                self.block.plant(Fault::LowerCaseInvoice);
            }
            self.plain(&paper, line.product, quantity, pence);
            self.block.tally.book(Account::ProductReturn, quantity, pence);
            if chance.happens(POSITIVE_RETURN * self.world.dirt) {
                let mut record = self.other(sale, &mut chance).0;
                let template = self.template("C", number, day, minute, &sale.buyer);
                for field in [record::INVOICE, record::DATE] {
                    record.fields[field].clone_from(&template.fields[field]);
                }
                self.block.plant(Fault::PositiveReturn);
                self.block.record(&record);
            }
        }
        self.basket.lines = lines;
        if sale.buyer.customer.is_some() && chance.happens(DISCOUNT) {
            let pence = i64::from(100 + chance.below(9_900));
            let template = self.template("C", number, day, minute, &sale.buyer);
            self.block.tally.book(Account::OtherCharge, -1, pence);
            self.block.record(&template.with("D", "Discount", -1, pence, self.block.dialect));
        }
    }

    /// An invoice of one line without a product.
    fn charge(&mut self, number: u32, day: u32, minute: u16, charge: Charge) {
        let mut chance = Chance::new(self.world.seed, Stream::Charge, u64::from(number), 2 << 60);
        let some = i64::from(chance.below(40_000));
        let (sign, code, description, quantity, pence) = match charge {
            Charge::Bank => ("", "BANK CHARGES", "Bank Charges", 1, 1500),
            Charge::AmazonFee => ("C", "AMAZONFEE", "AMAZON FEE", -1, 100 + some * 7),
            Charge::Manual => ("", "M", "Manual", 1, 50 + some),
            Charge::Sample => ("C", "S", "SAMPLES", -1, 100 + some / 8),
            Charge::Charity => ("C", "CRUK", "CRUK Commission", -1, 200 + some / 4),
            Charge::Voucher => ("", "gift_0001_20", "Dotcomgiftshop Gift Voucher £20.00", 1, 1667),
            Charge::Adjustment { up: true } => ("A", "B", "Adjust bad debt", 1, 50_000 + some * 50),
            Charge::Adjustment { up: false } => ("A", "B", "Adjust bad debt", 1, -50_000 - some * 50),
        };
        let account = match charge {
            Charge::Adjustment { .. } => Account::Adjustment,
            _ => Account::OtherCharge,
        };
        if let Account::Adjustment = account {
            self.block.plant(Fault::Adjustment);
        }
        let template = self.template(sign, number, day, minute, &Buyer::nobody());
        self.block.tally.invoices += 1;
        self.block.tally.book(account, quantity, pence);
        self.block.record(&template.with(code, description, quantity, pence, self.block.dialect));
    }

    /// Late records: a new line of an earlier sale, or some of its lines again, in this file's dialect.
    fn late(&mut self, sale: &Sale, fresh: bool) {
        self.basket.fill(self.world, sale);
        let (a, b) = sale.key();
        let mut chance = Chance::new(self.world.seed, Stream::Late, a, b);
        if fresh {
            let (record, quantity, pence) = self.other(sale, &mut chance);
            self.block.plant(Fault::LateLine);
            self.block.tally.book(Account::ProductSale, quantity, pence);
            self.block.record(&record);
            return;
        }
        let first = chance.below(self.basket.lines.len() as u32) as usize;
        let last = (first + 1 + chance.below(4) as usize).min(self.basket.lines.len());
        for index in first..last {
            let line = self.basket.lines[index];
            let mut record = self.record_of(sale, &line);
            if chance.happens(0.3) {
                record.disguise(&mut chance);
            }
            self.block.plant(Fault::DuplicateLate);
            self.block.record(&record);
        }
    }

    fn record_of(&mut self, sale: &Sale, line: &Line) -> Record {
        let template = self.template("", sale.number, sale.day, sale.minute, &sale.buyer);
        let product = &self.world.catalogue.products[usize::from(line.product)];
        template.of_line(line, product, self.block.dialect)
    }

    fn template(&mut self, sign: &str, number: u32, day: u32, minute: u16, buyer: &Buyer) -> Record {
        let dialect = self.block.dialect;
        let mut when = self.date(day).as_bytes().to_vec();
        dialect.time(minute, &mut when);
        Record::of_invoice(format!("{sign}{number}"), when, buyer, dialect)
    }

    fn paper(&mut self, sign: &str, number: u32, day: u32, minute: u16, buyer: &Buyer) -> Paper {
        let dialect = self.block.dialect;
        let [mut head, mut when, mut tail] = [16, 32, 40].map(Vec::with_capacity);
        head.extend_from_slice(sign.as_bytes());
        text::integer(&mut head, i64::from(number));
        head.push(b',');
        when.push(b',');
        when.extend_from_slice(self.date(day).as_bytes());
        dialect.time(minute, &mut when);
        when.push(b',');
        tail.push(b',');
        record::customer(buyer, dialect, &mut tail);
        tail.push(b',');
        tail.extend_from_slice(COUNTRIES[usize::from(buyer.country)].0.as_bytes());
        tail.extend_from_slice(dialect.line_end());
        Paper { head, when, tail }
    }

    /// The day in the block's dialect.
    fn date(&mut self, day: u32) -> &str {
        if self.day != Some(day) {
            self.date = self.block.dialect.date(self.world.calendar.date(day));
            self.day = Some(day);
        }
        &self.date
    }
}
