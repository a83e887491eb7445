//! The lines of a sale, drawn from the sale alone: the same sale gives the same lines to any thread, at any time.
//! No two lines of a basket have the same product, so that no two records are equal by accident.
//! Dirt is drawn from a stream of its own and changes how a line looks, never what is bought.

use crate::catalogue::{GROUP_SIZE, GROUPS, PRODUCTS, TIER_TYPICAL, TIERS, tier_of};
use crate::chance::{Chance, Stream};
use crate::faults::Fault;
use crate::job::Sale;
use crate::population::Style;
use crate::world::World;

/// One product line of a sale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub product: u16,
    pub quantity: i32,
    /// Unit price in pence.
    pub price: i32,
    /// Pieces that come back later.
    pub returned: i32,
    /// An odd look of the record, if any, and bits to vary it.
    pub look: Option<Fault>,
    pub bits: u32,
}

/// A basket, reused from sale to sale.
#[derive(Debug)]
pub(crate) struct Basket {
    pub lines: Vec<Line>,
    /// The sale in which each product was last put in.
    seen: Vec<u32>,
    sale: u32,
}

/// Groups a customer likes best.
const FAVOURITES: u32 = 5;
/// Share of group changes that lead to a favourite.
const FAVOURITE: u32 = 60;
/// One line in so many turns to another group.
const LINES_PER_GROUP: u32 = 5;
/// Products tried for the last line, to meet the intended spend.
const TRIES: usize = 6;

impl Basket {
    pub fn new() -> Self {
        Basket { lines: Vec::new(), seen: vec![0; PRODUCTS as usize], sale: 0 }
    }

    /// Fills the basket with the lines of `sale`, which cost what it means to spend, within half a price.
    pub fn fill(&mut self, world: &World, sale: &Sale) {
        self.begin();
        let (a, b) = sale.key();
        let mut picker = Picker::new(world.seed, sale);
        let mut left = sale.pence;
        for more in (2..=i64::from(sale.lines)).rev() {
            let even = left * i64::from(512 + picker.chance.below(1024));
            let target = (even / (1024 * more)).max(1);
            let line = self.choose(world, sale.day, &mut picker, target, true);
            left -= i64::from(line.quantity) * i64::from(line.price);
            self.put(line);
        }
        let last = self.closest(world, sale, &mut picker, left.max(1));
        self.put(last);
        if sale.returned {
            self.add_returned(world, sale, &mut picker);
        }
        let mut looks = Chance::new(world.seed, Stream::Look, a, b);
        for line in &mut self.lines {
            line.look = world.looks.draw(&mut looks);
            line.bits = if line.look.is_some() { looks.word() } else { 0 };
        }
    }

    /// A product that is not in the basket, and henceforth is.
    pub fn other(&mut self, chance: &mut Chance) -> u16 {
        loop {
            let product = chance.below(PRODUCTS) as u16;
            if !self.holds(product) {
                self.seen[usize::from(product)] = self.sale;
                return product;
            }
        }
    }

    fn begin(&mut self) {
        self.lines.clear();
        self.sale = self.sale.wrapping_add(1);
        if self.sale == 0 {
            self.seen.fill(0);
            self.sale = 1;
        }
    }

    #[inline]
    fn holds(&self, product: u16) -> bool {
        self.seen[usize::from(product)] == self.sale
    }

    fn put(&mut self, line: Line) {
        self.seen[usize::from(line.product)] = self.sale;
        self.lines.push(line);
    }

    /// A product new to the basket, and so many of it that they cost about `target` pence.
    fn choose(&self, world: &World, day: u32, picker: &mut Picker, target: i64, packs: bool) -> Line {
        let tier = picker.tier(target);
        let mut product = picker.product(tier);
        while self.holds(product) {
            product = any_product(&mut picker.chance, tier);
        }
        let mut price = i64::from(world.catalogue.price(product, day, 1));
        let mut quantity = (target + price / 2) / price;
        if quantity >= i64::from(world.catalogue.products[usize::from(product)].bulk_from) {
            price = i64::from(world.catalogue.price(product, day, quantity));
            quantity = (target + price / 2) / price;
        }
        let quantity = if packs { pack(quantity) } else { quantity.max(1) };
        Line {
            product,
            quantity: i32::try_from(quantity).unwrap_or(i32::MAX),
            price: price as i32,
            returned: 0,
            look: None,
            bits: 0,
        }
    }

    /// Of several choices the one that comes closest to `target`.
    fn closest(&self, world: &World, sale: &Sale, picker: &mut Picker, target: i64) -> Line {
        let missed = |line: &Line| (target - i64::from(line.quantity) * i64::from(line.price)).abs();
        let mut best = self.choose(world, sale.day, picker, target, false);
        for _ in 1..TRIES {
            if missed(&best) * 200 <= sale.pence {
                break;
            }
            let line = self.choose(world, sale.day, picker, target, false);
            if missed(&line) < missed(&best) {
                best = line;
            }
        }
        best
    }

    /// Adds what will be returned, on top of the intended net spend: whole lines, or more pieces of one.
    fn add_returned(&mut self, world: &World, sale: &Sale, picker: &mut Picker) {
        for _ in 0..=picker.chance.below(4) {
            let index = picker.chance.below(self.lines.len() as u32) as usize;
            if picker.chance.below(2) == 0 && self.lines[index].returned == 0 {
                let line = &mut self.lines[index];
                let back = 1 + picker.chance.below((line.quantity as u32).min(24)) as i32;
                line.quantity = line.quantity.saturating_add(back);
                line.returned = back;
            } else {
                let target = i64::from(300 + picker.chance.below(3000));
                let mut line = self.choose(world, sale.day, picker, target, true);
                line.returned = line.quantity;
                self.put(line);
            }
        }
    }
}

/// Draws products to a buyer's taste.
struct Picker {
    chance: Chance,
    tier: u32,
    favourites: [u16; FAVOURITES as usize],
    group: u32,
}

impl Picker {
    fn new(seed: u64, sale: &Sale) -> Self {
        let (a, b) = sale.key();
        let tier = match sale.buyer.style {
            Style::Gift => 0,
            Style::Home => 1,
            Style::Trade => 2,
        };
        let mut chance = Chance::new(seed, Stream::Basket, a, b);
        let mut taste = match sale.buyer.customer {
            Some(_) => Chance::new(seed, Stream::Taste, a, 0),
            None => chance.clone(),
        };
        let favourites = std::array::from_fn(|_| popular_group(&mut taste, tier) as u16);
        let group = u32::from(favourites[chance.below(FAVOURITES) as usize]);
        Picker { chance, tier, favourites, group }
    }

    /// The buyer's tier, or a cheaper one when `target` pence would not buy a piece.
    #[inline]
    fn tier(&self, target: i64) -> u32 {
        let mut tier = self.tier;
        while tier + 1 < TIERS && target * 2 < TIER_TYPICAL[tier as usize] {
            tier += 1;
        }
        tier
    }

    #[inline]
    fn product(&mut self, tier: u32) -> u16 {
        if tier != self.tier {
            let group = popular_group(&mut self.chance, tier);
            return popular_product(&mut self.chance, group);
        }
        let word = self.chance.word();
        if word.is_multiple_of(LINES_PER_GROUP) {
            self.group = match (word >> 8) % 100 < FAVOURITE {
                true => u32::from(self.favourites[((word >> 16) % FAVOURITES) as usize]),
                false => popular_group(&mut self.chance, tier),
            };
        }
        popular_product(&mut self.chance, self.group)
    }
}

/// A group of a tier; those with low numbers sell best.
#[inline]
fn popular_group(chance: &mut Chance, tier: u32) -> u32 {
    let bits = chance.bits();
    let (one, two) = (bits as u32 & 0xFFFF, (bits >> 16) as u32 & 0xFFFF);
    let group = ((one.min(two) * (GROUPS / TIERS)) >> 16) * TIERS + tier;
    debug_assert_eq!(tier_of(group), tier);
    group
}

/// A product of a group; those with low numbers sell best.
#[inline]
fn popular_product(chance: &mut Chance, group: u32) -> u16 {
    let bits = chance.bits();
    let (one, two) = (bits as u32 & 0xFFFF, (bits >> 16) as u32 & 0xFFFF);
    (group * GROUP_SIZE + ((one.min(two) * GROUP_SIZE) >> 16)) as u16
}

/// Any product of a tier; a tier has many times the products of a basket.
fn any_product(chance: &mut Chance, tier: u32) -> u16 {
    let group = chance.below(GROUPS / TIERS) * TIERS + tier;
    (group * GROUP_SIZE + chance.below(GROUP_SIZE)) as u16
}

/// Rounds pieces down to how they are packed.
#[inline]
fn pack(quantity: i64) -> i64 {
    match quantity {
        ..=1 => 1,
        2..=7 => quantity,
        8..=11 => quantity & !1,
        12..=47 => quantity / 12 * 12,
        _ => quantity / 24 * 24,
    }
}
