#![expect(clippy::indexing_slicing, reason = "a test stops at what it did not expect")]

//! Small damage to our own cases, the same on every run: nothing may panic, and a file that does
//! not load must say why.

use super::*;

const ROUNDS: usize = 40;
const BITS: &[&str] = &[
    ": ",
    " #",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    "*",
    "&a ",
    "*a",
    "!",
    "!!str ",
    "|",
    ">",
    "%",
    "@",
    "`",
    "\t",
    "\r\n",
    "\n",
    "---\n",
    "...\n",
    "- ",
    "? ",
    ",",
    "\u{feff}",
    "\0",
    "<<: ",
    "\\",
    "  ",
    "name: x\n",
    "~",
    "\u{2028}",
    "\u{85}",
    "//",
    "/*",
];

/// A generator that needs no crate: xorshift64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % sides.max(1)
    }
}

#[test]
fn no_damage_makes_it_panic() {
    let mut dice = Dice(0x5eed_0000_c1a3);
    for file in check::find(&cases()) {
        let whole = fs::read(&file).unwrap();
        for _ in 0..ROUNDS {
            let mut bytes = whole.clone();
            for _ in 0..=dice.roll(4) {
                damage(&mut bytes, &mut dice);
            }
            let loaded = load(&bytes, &Origin::of(&file));
            let errors = loaded
                .diagnostics
                .iter()
                .filter(|one| one.severity == Severity::Error)
                .count();
            assert_eq!(loaded.manifest.is_none(), errors > 0, "{}", String::from_utf8_lossy(&bytes));
            let lines = bytes.len() + 2;
            assert!(
                loaded.diagnostics.iter().all(|one| one.line <= lines),
                "{}",
                String::from_utf8_lossy(&bytes)
            );
            if let Some(manifest) = loaded.manifest {
                assert!(name::is_valid(&manifest.name), "{}", manifest.name);
            }
            assert!(lint(&bytes, &Origin::of(&file), None).len() >= errors);
        }
    }
}

fn damage(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.roll(bytes.len() + 1);
    match dice.roll(6) {
        0 => bytes.truncate(at),
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = u8::try_from(dice.roll(256)).unwrap();
            }
        }
        2 => {
            let end = (at + 1 + dice.roll(6)).min(bytes.len());
            drop(bytes.splice(at.min(end)..end, []));
        }
        3 => {
            let from = dice.roll(bytes.len() + 1).min(at);
            let piece = bytes[from..at.min(from + 40)].to_vec();
            drop(bytes.splice(at..at, piece));
        }
        _ => {
            let bit = BITS[dice.roll(BITS.len())];
            drop(bytes.splice(at..at, bit.bytes()));
        }
    }
}

/// Shapes that have cost other readers their stack, or an afternoon.
#[test]
fn hostile_shapes_are_answered() {
    let many = 32 << 10;
    let repeated = |text: &str| text.repeat(many / text.len());
    let numbered = |line: &dyn Fn(usize) -> String| (0..many / 12).map(line).collect::<String>();
    let fronts = [
        repeated("["),
        format!("a: {}", repeated("[")),
        format!("a: {}", repeated("{a: ")),
        format!("a:\n  {}x", repeated("- ")),
        repeated("? "),
        repeated("a: "),
        format!("a: {}", repeated("\"")),
        repeated("a: \"x\n"),
        repeated("a: [x\n"),
        repeated("a:\n {\n"),
        repeated("...\n"),
        repeated("\t"),
        numbered(&|at| format!("a{at}: [b\n")),
        numbered(&|at| format!("a{at}: *b{at} c\n")),
        numbered(&|at| format!("a{at}: &a{at} b\n")),
        format!("z: &z b\n{}", numbered(&|at| format!("a{at}: *z\n"))),
        format!("metadata: '{}'", repeated("[\"]\",")),
        format!("metadata: '{}'", repeated("[/*]*/")),
        format!("metadata: '{}'", repeated("{a:")),
    ];
    for front in fronts {
        let text = format!("---\nname: x\ndescription: y\n{front}\n---\nz\n");
        let loaded = load(text.as_bytes(), &Origin::new("SKILL.md", None));
        let errors = loaded
            .diagnostics
            .iter()
            .filter(|one| one.severity == Severity::Error)
            .count();
        assert_eq!(loaded.manifest.is_none(), errors > 0, "{}", &text[..60]);
    }
}
