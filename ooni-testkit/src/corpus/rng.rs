//! Random numbers (xoshiro256++) and the functions that distributions need. All operations are defined exactly by IEEE
//! 754, so a corpus is the same on every machine.

/// The generator.
pub struct Rng([u64; 4]);

impl Rng {
    /// Seeds the state with splitmix64, as the authors of xoshiro recommend.
    pub fn new(seed: u64) -> Self {
        let mut x = seed;
        Self(std::array::from_fn(|_| {
            x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.0;
        let out = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        out
    }

    /// In `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// In `0..n`; 0 if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// In `0..n`, an index.
    pub fn index(&mut self, n: usize) -> usize {
        self.below(n as u64) as usize
    }

    /// In `from..=to`.
    pub fn range(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// One of `items`, which must not be empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// A normal distribution, as the sum of 48 uniform ones: accurate to four deviations, without logarithms or
    /// cosines.
    pub fn gauss(&mut self, mean: f64, deviation: f64) -> f64 {
        let sum: u64 = (0..12)
            .map(|_| {
                let b = self.bits();
                (b & 0xffff) + (b >> 16 & 0xffff) + (b >> 32 & 0xffff) + (b >> 48)
            })
            .sum();
        // Each 16-bit number has mean 32767.5 and variance 65536²/12; 48 of them, deviation 2.
        mean + deviation * (sum as f64 - 48.0 * 32767.5) / (2.0 * 65536.0)
    }
}

/// Cumulative weights to draw an index from.
pub struct Weighted(Vec<f64>);

impl Weighted {
    /// Indices drawn in proportion to these weights.
    pub fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        Self(
            weights
                .into_iter()
                .map(|w| {
                    sum += w;
                    sum
                })
                .collect(),
        )
    }

    /// `n` weights proportional to `rank^-s`.
    pub fn zipf(n: usize, s: f64) -> Self {
        Self::new((0..n).map(|k| 1.0 / power((k + 2) as f64, s)))
    }

    /// An index. There must be at least one weight.
    pub fn draw(&self, rng: &mut Rng) -> usize {
        let total = self.0.last().copied().unwrap_or(0.0);
        let x = rng.unit() * total;
        self.0.partition_point(|&c| c <= x).min(self.0.len() - 1)
    }
}

/// `x^p` for positive `x` and `0 ≤ p < 64`, with `p` rounded to a millionth: the whole part by multiplication, the rest by
/// square roots, which are exact where `powf` is not.
pub fn power(x: f64, p: f64) -> f64 {
    let mut out = 1.0;
    for _ in 0..p as u32 {
        out *= x;
    }
    let (mut rest, mut root) = (p.fract(), x);
    for _ in 0..20 {
        root = root.sqrt();
        rest *= 2.0;
        if rest >= 1.0 {
            out *= root;
            rest -= 1.0;
        }
    }
    out
}

/// `e^x` for `|x|` up to some hundreds: a short series near 0, squared ten times.
pub fn exp(x: f64) -> f64 {
    let y = x / 1024.0;
    let mut out = 1.0 + y * (1.0 + y / 2.0 * (1.0 + y / 3.0 * (1.0 + y / 4.0 * (1.0 + y / 5.0))));
    for _ in 0..10 {
        out *= out;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares bits, to detect machines that compute differently.
    #[test]
    fn same_everywhere() {
        let mut rng = Rng::new(1);
        assert_eq!([rng.bits(), rng.bits()], [0xcfc5_d07f_6f03_c29b, 0xbf42_4132_963f_e08d]);
        assert_eq!(rng.gauss(9.0, 0.85).to_bits(), PINNED[0]);
        assert_eq!(exp(9.5).to_bits(), PINNED[1]);
        assert_eq!(power(17.0, 1.25).to_bits(), PINNED[2]);
        assert_eq!(power(0.37, 1.7).to_bits(), PINNED[3]);
    }

    /// Computed independently, with Python's floats.
    const PINNED: [u64; 4] =
        [0x4021_09c3_2666_6666, 0x40ca_17dd_08c1_0224, 0x4041_4276_43af_15f6, 0x3fc7_9cf4_09c6_a835];

    #[test]
    fn close_to_the_library() {
        for x in [-3.0, 0.0, 1.0, 6.0, 9.0, 11.8] {
            assert!((exp(x) / f64::exp(x) - 1.0).abs() < 1e-10, "{x}");
        }
        for (x, p) in [(2.0, 0.9), (2500.0, 1.25), (0.01, 1.7), (5.0, 3.0)] {
            assert!((power(x, p) / x.powf(p) - 1.0).abs() < 1e-4, "{x} {p}");
        }
    }

    #[test]
    fn gauss_has_its_moments() {
        let mut rng = Rng::new(2);
        let drawn: Vec<f64> = (0..50_000).map(|_| rng.gauss(0.0, 1.0)).collect();
        let mean = drawn.iter().sum::<f64>() / 50_000.0;
        let variance = drawn.iter().map(|x| x * x).sum::<f64>() / 50_000.0;
        let beyond_two = drawn.iter().filter(|x| x.abs() > 2.0).count();
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
        assert!((2100..2500).contains(&beyond_two), "{beyond_two}"); // 4.55 %
    }

    #[test]
    fn weights_are_followed() {
        let mut rng = Rng::new(3);
        let weighted = Weighted::new([1.0, 0.0, 3.0]);
        let mut seen = [0; 3];
        for _ in 0..4000 {
            seen[weighted.draw(&mut rng)] += 1;
        }
        assert!(seen[1] == 0 && (900..1100).contains(&seen[0]), "{seen:?}");
    }
}
