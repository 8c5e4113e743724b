//! One line of a log, in whichever form it was written: its level, its time, its words.

use claw_skill::serde_json::{self, Map, Value};

/// How grave an event is. The order is that of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The program ends.
    Fatal,
    /// Something failed.
    Error,
    /// Something is off.
    Warning,
    /// Everything else.
    Info,
}

impl Severity {
    /// The word in the answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Fatal => "fatal",
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }

    /// A level as programs write it.
    fn parse(word: &str) -> Option<Self> {
        // The longest of them is `information`.
        if !(3..=11).contains(&word.len()) || !word.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return None;
        }
        let known = [
            (
                Severity::Fatal,
                &["fatal", "panic", "emerg", "emergency", "alert", "crit", "critical"][..],
            ),
            (Severity::Error, &["error", "err", "severe", "eror"]),
            (Severity::Warning, &["warn", "warning"]),
            (
                Severity::Info,
                &[
                    "info",
                    "information",
                    "notice",
                    "debug",
                    "trace",
                    "verbose",
                    "fine",
                    "finer",
                    "finest",
                    "dbg",
                    "inf",
                ],
            ),
        ];
        known
            .into_iter()
            .find(|(_, words)| words.iter().any(|known| word.eq_ignore_ascii_case(known)))
            .map(|(level, _)| level)
    }

    /// pino and bunyan: 10 to 60; syslog: 0 to 7.
    fn of_number(number: u64) -> Option<Self> {
        match number {
            60.. | 0..=2 => Some(Severity::Fatal),
            50..=59 | 3 => Some(Severity::Error),
            40..=49 | 4 => Some(Severity::Warning),
            5..=39 => Some(Severity::Info),
        }
    }
}

/// A line that begins an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How grave it is.
    pub severity: Severity,
    /// When, as the line says it.
    pub time: Option<String>,
    /// What it says.
    pub message: String,
    /// The line says its level or its time: it is no part of what stands above it.
    pub is_marked: bool,
}

/// Reads a line without its colours.
pub fn parse(line: &str) -> Head {
    json(line).or_else(|| logfmt(line)).unwrap_or_else(|| text(line))
}

fn json(line: &str) -> Option<Head> {
    let object: Map<String, Value> = serde_json::from_str(line.trim_start().starts_with('{').then_some(line)?).ok()?;
    let first = |keys: &[&str]| keys.iter().find_map(|key| object.get(*key));
    let word = |keys: &[&str]| first(keys).and_then(Value::as_str);
    let level = match first(&["level", "severity", "lvl", "levelname", "log.level", "@level", "priority"]) {
        Some(Value::String(word)) => Severity::parse(word),
        Some(Value::Number(number)) => number.as_u64().and_then(Severity::of_number),
        _ => None,
    };
    let nested = object
        .get("log")
        .and_then(|log| log.get("level"))
        .and_then(Value::as_str)
        .and_then(Severity::parse);
    let mut message = word(&["msg", "message", "@message", "event", "text"])
        .unwrap_or_default()
        .to_owned();
    let cause = match first(&["error", "err", "exception", "exc_info"]) {
        Some(Value::String(cause)) => Some(cause.as_str()),
        Some(Value::Object(cause)) => cause.get("message").or_else(|| cause.get("msg")).and_then(Value::as_str),
        _ => None,
    };
    if let Some(cause) = cause
        .and_then(|cause| cause.lines().next())
        .filter(|cause| !message.contains(cause))
    {
        message = if message.is_empty() {
            cause.to_owned()
        } else {
            format!("{message}: {cause}")
        };
    }
    let time = match first(&["time", "timestamp", "ts", "@timestamp", "t", "date", "asctime"]) {
        Some(Value::String(time)) => Some(time.clone()),
        Some(Value::Number(time)) => Some(time.to_string()),
        _ => None,
    };
    let severity = level.or(nested).unwrap_or_else(|| by_words(&message));
    Some(Head {
        severity,
        time: time.map(short),
        message,
        is_marked: true,
    })
}

/// `time=… level=error msg="…"`.
fn logfmt(line: &str) -> Option<Head> {
    if !line.contains("level=") && !line.contains("lvl=") {
        return None;
    }
    let (mut severity, mut time, mut message, mut cause) = (None, None, None, None);
    let mut rest = line.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let end = after.find(' ').unwrap_or(after.len());
                let (value, next) = after.split_at(end);
                (value.to_owned(), next)
            }
        };
        // Words that are no key go with the one after them.
        match key.rsplit(' ').next().unwrap_or_default() {
            "level" | "lvl" | "severity" => severity = Severity::parse(&value),
            "time" | "ts" | "t" | "timestamp" => time = Some(value),
            "msg" | "message" => message = Some(value),
            "err" | "error" => cause = Some(value),
            _ => {}
        }
        rest = next.trim_start();
    }
    let message = match (message, cause) {
        (Some(message), Some(cause)) if !message.contains(&cause) => format!("{message}: {cause}"),
        (Some(message), _) => message,
        (None, cause) => cause?,
    };
    Some(Head {
        severity: severity?,
        time: time.map(short),
        message,
        is_marked: true,
    })
}

/// The value up to its closing quote, and what follows.
fn unquote(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut signs = quoted.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.push(signs.next().map_or('\\', |(_, sign)| if sign == 'n' { ' ' } else { sign })),
            other => value.push(other),
        }
    }
    (value, "")
}

fn text(line: &str) -> Head {
    // Further on, a word such as `error` is part of what the line says.
    const WORDS_OF_A_HEAD: usize = 8;
    let (time, rest) = time(line);
    let mut at = 0;
    let mut level = None;
    for word in rest
        .split_inclusive(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | '|' | ':' | '(' | ')' | '<' | '>'))
        .take(WORDS_OF_A_HEAD)
    {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        at += word.len();
        // In lower case it is a level only between signs: `[error]`, `error:`, `<error>`.
        let is_set_off = word.len() > bare.len() && !word.ends_with(char::is_whitespace);
        let is_level = bare.chars().all(|c| c.is_ascii_uppercase()) || is_set_off;
        level = Severity::parse(bare).filter(|_| is_level);
        if level.is_some() {
            break;
        }
    }
    let is_marked = time.is_some() || level.is_some();
    let message = match level {
        Some(_) => rest
            .get(at..)
            .unwrap_or_default()
            .trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ']' | ':' | '-' | '|' | ')' | '>')),
        None => rest.trim(),
    };
    let message = if message.is_empty() { rest.trim() } else { message };
    let severity = level.unwrap_or_else(|| by_words(message));
    Head {
        severity,
        time: time.map(|time| short(time.to_owned())),
        message: message.trim_end().to_owned(),
        is_marked,
    }
}

/// The time at the start of a line, and the rest of it.
fn time(line: &str) -> (Option<&str>, &str) {
    let start = line.trim_start_matches(['[', '(', ' ']);
    // RFC 5424: `<34>1 2003-10-11T…`.
    let start = match start.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => rest.strip_prefix("1 ").unwrap_or(rest),
        _ => start,
    };
    let length = iso(start)
        .or_else(|| month_first(start))
        .or_else(|| day_first(start))
        .or_else(|| clock(start))
        .unwrap_or(0);
    let (time, rest) = start.split_at_checked(length).unwrap_or(("", start));
    if length == 0 {
        (None, line)
    } else {
        (Some(time), rest.trim_start_matches([']', ')', ' ', ',', '|', '-']))
    }
}

fn digits(text: &str, count: usize) -> Option<&str> {
    let (digits, rest) = text.split_at_checked(count)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(rest)
}

/// The length of `2026-01-02T03:04:05.678+01:00`, with a space for the `T` or slashes too.
fn iso(text: &str) -> Option<usize> {
    let rest = digits(text, 4)?;
    let rest = digits(rest.strip_prefix(['-', '/'])?, 2)?;
    let rest = digits(rest.strip_prefix(['-', '/'])?, 2)?;
    let date = text.len() - rest.len();
    match rest.strip_prefix(['T', ' ', '_']).and_then(clock) {
        Some(length) => Some(date + 1 + length),
        None => Some(date),
    }
}

/// The length of `03:04:05`, with what follows of seconds and zone.
fn clock(text: &str) -> Option<usize> {
    let rest = digits(text, 2)?.strip_prefix(':')?;
    let rest = digits(rest, 2)?.strip_prefix(':')?;
    let rest = digits(rest, 2)?;
    let more = rest
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | 'Z' | '+' | '-' | ':')))
        .unwrap_or(rest.len());
    let zone = rest.get(..more).unwrap_or_default().trim_end_matches([',', '.', ':', '-']);
    Some(text.len() - rest.len() + zone.len())
}

const MONTHS: &[&str] = &[
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The length of `Jan  2 03:04:05`.
fn month_first(text: &str) -> Option<usize> {
    let (month, rest) = text.split_at_checked(3)?;
    let day = rest.trim_start();
    let time = day.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_day = MONTHS.contains(&month) && (1..=2).contains(&(day.len() - time.len()));
    let time = time.strip_prefix(' ').filter(|_| is_day)?;
    Some(text.len() - time.len() + clock(time)?)
}

/// The length of `10/Oct/2026:13:55:36 +0000`.
fn day_first(text: &str) -> Option<usize> {
    let rest = digits(text, 2)?.strip_prefix('/')?;
    let (month, rest) = rest.split_at_checked(3)?;
    let rest = digits(rest.strip_prefix('/')?, 4)?.strip_prefix(':')?;
    let time = text.len() - rest.len() + clock(rest)?;
    let zone = text
        .get(time..)?
        .strip_prefix(" +")
        .and_then(|zone| digits(zone, 4))
        .map_or(0, |_| 6);
    MONTHS.contains(&month).then_some(time + zone)
}

/// What a line without a level says of it.
fn by_words(message: &str) -> Severity {
    let is = |known: &[&str]| {
        message
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| known.iter().any(|known| word.eq_ignore_ascii_case(known)))
    };
    if is(&["panic", "panicked", "fatal"]) {
        Severity::Fatal
    } else if is(&["error", "exception", "traceback", "failed", "failure"]) || is_exception(message) {
        Severity::Error
    } else if is(&["warning", "warn", "deprecated"]) {
        Severity::Warning
    } else {
        Severity::Info
    }
}

/// `java.lang.IllegalStateException: …`, `ValueError: …`, `System.IO.IOException`.
pub fn is_exception(text: &str) -> bool {
    let name = text.split([':', ' ']).next().unwrap_or_default();
    let known = ["Exception", "Error", "Throwable", "Warning", "Interrupt", "Exit", "Fault"];
    let is_name = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '$'));
    name.len() >= 8 && is_name && name.contains(char::is_uppercase) && known.iter().any(|end| name.ends_with(end))
}

fn short(time: String) -> String {
    const LONGEST: usize = 40;
    time.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests;
