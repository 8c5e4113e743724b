//! Bytes to text: every file becomes text somehow, and what had to be guessed is said.

use super::Code;
use super::report::Report;

/// Windows-1252 where it differs from Latin-1: 0x80 to 0x9f.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“', '”',
    '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The text of `bytes` with `\n` as its only line end and no byte order mark.
pub(super) fn decode(bytes: &[u8], report: &mut Report) -> String {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes, report),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes, report),
        [0xef, 0xbb, 0xbf, rest @ ..] => {
            let hint = "save the file as UTF-8 without a byte order mark";
            report.add(Code::ByteOrderMark, 1, "", "the file begins with a byte order mark", hint);
            utf8(rest, 3, report)
        }
        _ => utf8(bytes, 0, report),
    };
    if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text
    }
}

fn utf8(bytes: &[u8], skipped: usize, report: &mut Report) -> String {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return text.to_owned(),
        Err(error) => error,
    };
    let good = error.valid_up_to();
    let before = bytes.get(..good).unwrap_or_default();
    let message = format!("byte {} is not UTF-8; the file is read as Windows-1252", good + skipped);
    report.add(Code::NotUtf8, line_of(before), "", message, "save the file as UTF-8");
    windows_1252(bytes)
}

/// Valid stretches are kept as UTF-8: files in the wild are mostly that, with a few strays.
fn windows_1252(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|&byte| match byte {
            0x80..=0x9f => WINDOWS_1252.get(usize::from(byte - 0x80)).copied().unwrap_or('\u{fffd}'),
            other => char::from(other),
        }));
    }
    text
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16, report: &mut Report) -> String {
    report.add(Code::Utf16, 1, "", "the file is UTF-16", "save the file as UTF-8");
    let (pairs, _) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// The line on which the bytes after `before` begin, whatever its line ends are.
fn line_of(before: &[u8]) -> usize {
    let mut previous = 0;
    let ends = before.iter().filter(|&&byte| {
        let end = byte == b'\r' || (byte == b'\n' && previous != b'\r');
        previous = byte;
        end
    });
    1 + ends.count()
}
