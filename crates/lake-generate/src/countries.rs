//! Where customers live, in the shares of a British shop. Names are the source's own spellings
//! (`EIRE`, `RSA`), never tidied here.

use crate::chance::Chance;

/// The home market, first of [`COUNTRIES`].
pub(crate) const HOME: u8 = 0;

/// Country and customers per ten thousand.
pub(crate) const COUNTRIES: [(&str, u32); 38] = [
    ("United Kingdom", 9040),
    ("Germany", 200),
    ("France", 185),
    ("EIRE", 120),
    ("Spain", 65),
    ("Belgium", 55),
    ("Netherlands", 45),
    ("Switzerland", 40),
    ("Portugal", 36),
    ("Australia", 24),
    ("Italy", 24),
    ("Norway", 22),
    ("Finland", 20),
    ("Austria", 16),
    ("Channel Islands", 16),
    ("Sweden", 13),
    ("Denmark", 12),
    ("Cyprus", 12),
    ("Japan", 11),
    ("Unspecified", 8),
    ("Poland", 7),
    ("USA", 6),
    ("Israel", 5),
    ("Greece", 4),
    ("Hong Kong", 3),
    ("Canada", 2),
    ("Malta", 1),
    ("Singapore", 1),
    ("Iceland", 1),
    ("United Arab Emirates", 1),
    ("European Community", 1),
    ("RSA", 1),
    ("Lebanon", 1),
    ("Lithuania", 1),
    ("Brazil", 1),
    ("Czech Republic", 1),
    ("Bahrain", 1),
    ("Saudi Arabia", 1),
];

/// Draws a country, as an index of [`COUNTRIES`].
pub(crate) fn draw(chance: &mut Chance) -> u8 {
    let mut left = chance.below(COUNTRIES.iter().map(|&(_, weight)| weight).sum());
    for (index, &(_, weight)) in COUNTRIES.iter().enumerate() {
        if left < weight {
            return index as u8;
        }
        left -= weight;
    }
    HOME
}
