//! What the shop sells: groups of products that are bought together, their prices and price steps.
//! The catalogue depends on the seed alone and is never changed by how much is sold or how dirty it gets.
//! Every description is ASCII and unique, every code upper case and unique.

use crate::calendar::Calendar;
use crate::chance::{Chance, Stream};
use crate::text;

/// Products bought together share a group; three tiers of price.
pub(crate) const GROUPS: u32 = 240;
pub(crate) const GROUP_SIZE: u32 = 15;
pub(crate) const PRODUCTS: u32 = GROUPS * GROUP_SIZE;
pub(crate) const TIERS: u32 = 3;

/// Lowest and highest price of a tier, and a middling one, in pence.
const TIER_PRICES: [(f64, f64); TIERS as usize] = [(595.0, 1695.0), (145.0, 595.0), (19.0, 145.0)];
pub(crate) const TIER_TYPICAL: [i64; TIERS as usize] = [950, 300, 60];
/// From how many pieces the bulk price holds, by tier.
const BULK_FROM: [[i32; 2]; TIERS as usize] = [[4, 6], [12, 24], [24, 48]];
const BULK_FACTOR: f64 = 0.85;
/// Share of products whose price changes once within the period.
const REPRICED: f64 = 0.3;

const STYLES: [&str; GROUP_SIZE as usize] = [
    "WHITE",
    "RED",
    "BLUE",
    "PINK",
    "IVORY",
    "GREEN",
    "SMALL",
    "LARGE",
    "MINI",
    "SET OF 3",
    "FRENCH",
    "ANTIQUE",
    "WOODEN",
    "PACK OF 12",
    "ASSORTED",
];
const MOTIFS: [&str; 10] = [
    "HEART",
    "RETROSPOT",
    "VINTAGE",
    "PAISLEY",
    "DOLLY GIRL",
    "WOODLAND",
    "POLKADOT",
    "UNION JACK",
    "ROSE & IVY",
    "SWALLOWS",
];
const ITEMS: [[&str; 8]; TIERS as usize] = [
    [
        "WALL CLOCK",
        "CAKESTAND",
        "12\" MIRROR",
        "DOORMAT",
        "CABINET",
        "PICNIC BASKET",
        "TABLE LAMP",
        "BREAD BIN",
    ],
    [
        "LUNCH BAG",
        "T-LIGHT HOLDER",
        "MUG",
        "CUSHION COVER",
        "CAKE TINS",
        "JAM JAR",
        "COAT HANGER",
        "TEA TOWEL",
    ],
    ["GIFT TAG", "PENCILS A,B,C", "NAPKINS", "RIBBON", "CARD", "CAKE CASES", "STICKERS", "CANDLE"],
];

/// One product.
#[derive(Debug)]
pub(crate) struct Product {
    pub code: String,
    pub description: String,
    pub group: u32,
    /// Pence before and from `repriced_on`.
    pub prices: [i32; 2],
    /// Trading day of the price step; past the period when there is none.
    pub repriced_on: u32,
    /// Pence for `bulk_from` pieces and more, before and from `repriced_on`.
    pub bulk_prices: [i32; 2],
    pub bulk_from: i32,
    /// `code,description,`, quoted where needed: the bytes of a plain line.
    pub csv: Vec<u8>,
}

/// All products, those of a group next to each other.
#[derive(Debug)]
pub(crate) struct Catalogue {
    pub products: Vec<Product>,
}

impl Catalogue {
    pub fn new(seed: u64, calendar: &Calendar) -> Self {
        let codes = codes(seed);
        let products = codes.into_iter().enumerate();
        let products = products.map(|(index, code)| product(seed, index as u32, code, calendar)).collect();
        Catalogue { products }
    }

    /// The unit price in pence on a day, for so many pieces.
    #[inline]
    pub fn price(&self, product: u16, day: u32, quantity: i64) -> i32 {
        let product = &self.products[usize::from(product)];
        let step = usize::from(day >= product.repriced_on);
        match quantity >= i64::from(product.bulk_from) {
            true => product.bulk_prices[step],
            false => product.prices[step],
        }
    }
}

/// The tier of price of a group.
pub(crate) fn tier_of(group: u32) -> u32 {
    group % TIERS
}

fn product(seed: u64, index: u32, code: String, calendar: &Calendar) -> Product {
    let mut chance = Chance::new(seed, Stream::Catalogue, 1, u64::from(index));
    let group = index / GROUP_SIZE;
    let tier = tier_of(group) as usize;
    let (low, high) = TIER_PRICES[tier];
    let first = charming(low * (high / low).powf(chance.unit()));
    let days = calendar.days() as u32;
    let repriced = chance.happens(REPRICED);
    let repriced_on = if repriced { chance.below(days) } else { u32::MAX };
    let second = if repriced { charming(f64::from(first) * (0.85 + 0.4 * chance.unit())) } else { first };
    let description = description(index);
    let mut csv = Vec::new();
    text::field(&mut csv, code.as_bytes());
    csv.push(b',');
    text::field(&mut csv, description.as_bytes());
    csv.push(b',');
    Product {
        csv,
        code,
        description,
        group,
        prices: [first, second],
        repriced_on,
        bulk_prices: [bulk(first), bulk(second)],
        bulk_from: BULK_FROM[tier][chance.below(2) as usize],
    }
}

fn description(index: u32) -> String {
    let (group, style) = (index / GROUP_SIZE, index % GROUP_SIZE);
    let item = ITEMS[tier_of(group) as usize][(group / TIERS % 8) as usize];
    let motif = MOTIFS[(group / (TIERS * 8)) as usize];
    format!("{} {motif} {item}", STYLES[style as usize])
}

/// The nearest price ending in 5.
fn charming(pence: f64) -> i32 {
    ((pence / 10.0) as i32) * 10 + 5
}

fn bulk(pence: i32) -> i32 {
    (f64::from(pence) * BULK_FACTOR).round() as i32
}

/// Five digits with or without a letter, each once.
fn codes(seed: u64) -> Vec<String> {
    let mut chance = Chance::new(seed, Stream::Catalogue, 0, 0);
    let mut codes = Vec::with_capacity(PRODUCTS as usize);
    let mut number = 20_000 + chance.below(500);
    let mut letter = None;
    while codes.len() < PRODUCTS as usize {
        letter = match letter {
            Some(b'A'..=b'F') if chance.happens(0.7) => letter.map(|letter| letter + 1),
            _ => {
                number += 1 + chance.below(24);
                chance.happens(0.15).then_some(b'A')
            }
        };
        codes.push(match letter {
            Some(letter) => format!("{number}{}", char::from(letter)),
            None => number.to_string(),
        });
    }
    // Shuffled, so that a group's codes are not neighbours.
    for index in (1..codes.len()).rev() {
        codes.swap(index, chance.below(index as u32 + 1) as usize);
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;
    use std::collections::HashSet;

    #[test]
    fn codes_and_descriptions_are_unique() {
        let day = NaiveDate::from_ymd_opt(2010, 12, 1).unwrap();
        let catalogue = Catalogue::new(3, &Calendar::new(day, day));
        let codes: HashSet<_> = catalogue.products.iter().map(|p| &p.code).collect();
        let descriptions: HashSet<_> = catalogue.products.iter().map(|p| &p.description).collect();
        assert_eq!((codes.len(), descriptions.len()), (PRODUCTS as usize, PRODUCTS as usize));
        assert!(codes.iter().all(|code| code.as_bytes()[..5].iter().all(u8::is_ascii_digit)));
        assert!(codes.iter().all(|code| code.len() <= 6));
    }
}
