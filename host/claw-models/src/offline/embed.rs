//! Words to vectors by hashing: stable over versions and machines, near for texts that
//! share words, blind to meaning.

/// The length of every vector.
const DIMENSIONS: u64 = 256;

/// The vector of a text, of length one. A text without words has a direction of its own.
pub(super) fn vector(text: &str) -> Vec<f32> {
    let mut sums = vec![0f64; DIMENSIONS as usize];
    let lower = text.to_lowercase();
    for word in lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let hash = fnv1a(word.as_bytes());
        // The top bit is the sign, so that words that share a place do not always add up.
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        if let Some(sum) = sums.get_mut((hash % DIMENSIONS) as usize) {
            *sum += sign;
        }
    }
    let length = sums.iter().map(|x| x * x).sum::<f64>().sqrt();
    if length == 0.0
        && let Some(first) = sums.first_mut()
    {
        *first = 1.0;
        return sums.into_iter().map(|x| x as f32).collect();
    }
    sums.into_iter().map(|x| (x / length) as f32).collect()
}

/// FNV-1a, 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
