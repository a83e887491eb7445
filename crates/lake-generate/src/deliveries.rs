//! Which file each day's records go to, and in which dialect it is written.
//! Names are chosen so that their natural order is the order of delivery: `_` sorts after `.`.
//! Never looks at the records.

use crate::calendar::Calendar;
use crate::chance::{Chance, Stream};
use crate::parameters::{Dirt, Parameters, Split};
use crate::text;
use chrono::NaiveDate;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Dates month first, customers as integers, ISO-8859-1, CRLF.
    MonthFirst,
    /// ISO dates, customers as `17850.0`, UTF-8, LF.
    Iso {
        /// Starts with a byte-order mark.
        mark: bool,
        /// Has the header of "Online Retail II".
        second_header: bool,
    },
}

impl Dialect {
    pub fn line_end(self) -> &'static [u8] {
        match self {
            Dialect::MonthFirst => b"\r\n",
            Dialect::Iso { .. } => b"\n",
        }
    }

    /// How a whole number of pounds ends.
    pub fn whole_pounds(self) -> &'static [u8] {
        match self {
            Dialect::MonthFirst => b"",
            Dialect::Iso { .. } => b".0",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Dialect::MonthFirst => "month_first",
            Dialect::Iso { mark: false, second_header: false } => "iso",
            Dialect::Iso { mark: true, second_header: false } => "iso_bom",
            Dialect::Iso { mark: false, second_header: true } => "iso_second_header",
            Dialect::Iso { mark: true, second_header: true } => "iso_bom_second_header",
        }
    }

    /// The byte-order mark, if any, and the header line.
    pub fn head(self) -> Vec<u8> {
        let mut head = Vec::new();
        if let Dialect::Iso { mark: true, .. } = self {
            head.extend_from_slice("\u{feff}".as_bytes());
        }
        head.extend_from_slice(match self {
            Dialect::Iso { second_header: true, .. } => {
                b"Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"
            }
            _ => b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
        });
        head.extend_from_slice(self.line_end());
        head
    }

    /// Text in the file's encoding; what ISO-8859-1 lacks becomes a question mark.
    pub fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Dialect::MonthFirst => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
            Dialect::Iso { .. } => text.as_bytes().to_vec(),
        }
    }

    /// A date of the file, up to the blank before the time.
    pub fn date(self, date: NaiveDate) -> String {
        match self {
            Dialect::MonthFirst => date.format("%-m/%-d/%Y").to_string(),
            Dialect::Iso { .. } => date.format("%Y-%m-%d").to_string(),
        }
    }

    /// Appends a blank and a time of day to a date of the file.
    pub fn time(self, minute: u16, out: &mut Vec<u8>) {
        let (hour, minute) = (i64::from(minute / 60), (minute % 60) as u8);
        out.push(b' ');
        if hour < 10 && self != Dialect::MonthFirst {
            out.push(b'0');
        }
        text::integer(out, hour);
        out.extend_from_slice(&[b':', b'0' + minute / 10, b'0' + minute % 10]);
        if self != Dialect::MonthFirst {
            out.extend_from_slice(b":00");
        }
    }
}

/// One file to be delivered.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub name: String,
    pub dialect: Dialect,
}

/// The name under which the bytes of a file are delivered again.
pub(crate) fn copy_name(name: &str) -> String {
    format!("{}_again.csv", name.trim_end_matches(".csv"))
}

/// All files, in the order of delivery. A file without records is never written.
#[derive(Debug)]
pub(crate) struct Deliveries {
    pub files: Vec<Delivery>,
    by_day: Vec<u32>,
    /// The file of late lines, when all days share one file and there is dirt.
    pub late: Option<u32>,
    /// Chooses the file delivered twice, when there is dirt.
    copy: Option<u64>,
}

impl Deliveries {
    pub fn new(parameters: &Parameters, calendar: &Calendar) -> Self {
        let mut files: Vec<Delivery> = Vec::new();
        let mut by_day = Vec::with_capacity(calendar.days());
        for day in 0..calendar.days() as u32 {
            let name = name(parameters.split, calendar.date(day));
            if files.last().is_none_or(|file| file.name != name) {
                let dialect = dialect(parameters, files.len() as u64);
                files.push(Delivery { name, dialect });
            }
            by_day.push(files.len() as u32 - 1);
        }
        let dirty = parameters.dirt != Dirt::None;
        let late = (dirty && parameters.split == Split::None).then(|| {
            let dialect = Dialect::Iso { mark: false, second_header: false };
            files.push(Delivery { name: "online_retail_late.csv".to_owned(), dialect });
            files.len() as u32 - 1
        });
        let copy = dirty.then(|| Chance::new(parameters.seed, Stream::File, u64::MAX, 0).bits());
        Deliveries { files, by_day, late, copy }
    }

    pub fn of_day(&self, day: u32) -> u32 {
        self.by_day[day as usize]
    }

    /// Which of `written` files is delivered twice: the late one if there is one, else any.
    pub fn copied(&self, written: usize) -> Option<usize> {
        let choice = self.copy?;
        match self.late {
            Some(_) => written.checked_sub(1),
            None => (written > 0).then(|| (choice % written.max(1) as u64) as usize),
        }
    }
}

fn name(split: Split, date: NaiveDate) -> String {
    match split {
        Split::Day => date.format("online_retail-%Y-%m-%d.csv").to_string(),
        Split::Month => date.format("online_retail-%Y-%m.csv").to_string(),
        Split::None => "online_retail.csv".to_owned(),
    }
}

fn dialect(parameters: &Parameters, index: u64) -> Dialect {
    let mut chance = Chance::new(parameters.seed, Stream::File, index, 0);
    if parameters.split == Split::None || chance.happens(0.5) {
        return Dialect::MonthFirst;
    }
    Dialect::Iso { mark: chance.happens(0.5), second_header: chance.happens(0.5) }
}
