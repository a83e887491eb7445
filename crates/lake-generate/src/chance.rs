//! The one door of chance: a counter-seeded generator and the distributions drawn from it.
//! Every stream is a pure function of the seed and of what it is for, so that any part of the simulation
//! can be drawn again by any thread. Written out here, and not taken from a crate, because the bytes a seed
//! stands for must survive every upgrade. Never seeded from the clock or the system.

/// What a stream of chance is for; streams of different purposes are independent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Catalogue = 1,
    Customer,
    Taste,
    Visit,
    Guest,
    Basket,
    Look,
    Fault,
    Return,
    Charge,
    Walk,
    Late,
    File,
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A splitmix64 generator (Steele, Lea & Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Chance {
    state: u64,
}

impl Chance {
    /// Opens the stream for the thing numbered (`a`, `b`).
    pub fn new(seed: u64, stream: Stream, a: u64, b: u64) -> Self {
        let mut state = mix(seed ^ (stream as u64).wrapping_mul(GOLDEN));
        state = mix(state ^ a.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        Chance { state: mix(state ^ b.wrapping_mul(0xA076_1D64_78BD_642F).wrapping_add(GOLDEN)) }
    }

    /// Sixty-four fair bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// Thirty-two fair bits, to be held against a threshold.
    #[inline]
    pub fn word(&mut self) -> u32 {
        (self.bits() >> 32) as u32
    }

    /// Uniform on 0 … `n` − 1.
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.word()) * u64::from(n)) >> 32) as u32
    }

    /// Uniform on (0, 1].
    #[inline]
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// True with probability `p`.
    #[inline]
    pub fn happens(&mut self, p: f64) -> bool {
        self.unit() <= p
    }

    /// `mean` rounded up or down at random, so that the expectation is kept.
    pub fn round(&mut self, mean: f64) -> u64 {
        mean.floor() as u64 + u64::from(self.happens(mean.fract()))
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    /// Standard normal (Box & Muller 1958).
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Gamma with the given shape and rate 1 (Marsaglia & Tsang 2000).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = self.unit().powf(1.0 / shape);
            return boost * self.gamma(shape + 1.0);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.unit().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Beta(a, b) as a ratio of gammas.
    pub fn beta(&mut self, a: f64, b: f64) -> f64 {
        let x = self.gamma(a);
        x / (x + self.gamma(b))
    }
}

#[inline]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Chance, Stream};

    #[test]
    fn draws_have_the_moments_of_their_distributions() {
        let mut chance = Chance::new(7, Stream::Walk, 0, 0);
        let n = 200_000;
        let mut mean = |draw: &mut dyn FnMut(&mut Chance) -> f64| {
            (0..n).map(|_| draw(&mut chance)).sum::<f64>() / f64::from(n)
        };
        assert!((mean(&mut |c| c.unit()) - 0.5).abs() < 0.005);
        assert!((mean(&mut |c| c.exponential()) - 1.0).abs() < 0.01);
        assert!((mean(&mut |c| c.normal().powi(2)) - 1.0).abs() < 0.015);
        assert!((mean(&mut |c| c.gamma(0.5)) - 0.5).abs() < 0.01);
        assert!((mean(&mut |c| (c.gamma(3.0) - 3.0).powi(2)) - 3.0).abs() < 0.1);
        assert!((mean(&mut |c| c.beta(0.8, 2.4)) - 0.25).abs() < 0.005);
        assert!((mean(&mut |c| c.round(1.3) as f64) - 1.3).abs() < 0.01);
    }
}
