//! Forms of arguments. A caller's value can fill a place of a form; it can never become an
//! option, a second argument or a control character.

use std::fmt;

/// A form of arguments, word by word: `pr view <int> --repo <repo>`.
///
/// - `*`: one argument that does not begin with `-`
/// - `**`, only at the end: any number of such, none included
/// - `<int>`: decimal digits
/// - `<rev>`: one git revision; `<range>`: two of them with `..` or `...` between
/// - `<path>`: a relative path without `..`
/// - `<repo>`: `owner/name`
/// - `--option=*` and the like: the same after an `=`
/// - anything else: itself
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    words: Vec<Word>,
    rest: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Literal(String),
    Place(Place),
    /// What stands before the place, its `=` included.
    Option(String, Place),
}

/// What a caller's value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Any,
    Int,
    Rev,
    Range,
    Path,
    Repo,
}

/// The text is no form of arguments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing is in it.
    #[error("is empty")]
    Empty,
    /// `**` before the last word.
    #[error("`**` stands before the end")]
    RestBeforeEnd,
    /// A place that is none.
    #[error("`{0}` is no place: `*`, `**`, `<int>`, `<rev>`, `<range>`, `<path>` or `<repo>`, alone or after `=`")]
    Unknown(String),
}

impl Pattern {
    /// Reads a form.
    ///
    /// # Errors
    /// See [`PatternError`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut words = Vec::new();
        let mut rest = false;
        for word in text.split_whitespace() {
            if rest {
                return Err(PatternError::RestBeforeEnd);
            }
            match word {
                "**" => rest = true,
                _ => words.push(Word::parse(word)?),
            }
        }
        if words.is_empty() && !rest {
            return Err(PatternError::Empty);
        }
        Ok(Pattern { words, rest })
    }

    /// Whether these arguments have the form.
    pub fn matches(&self, args: &[String]) -> bool {
        let Some((fixed, more)) = args.split_at_checked(self.words.len()) else {
            return false;
        };
        let fits = self.words.iter().zip(fixed).all(|(word, arg)| word.matches(arg));
        fits && (self.rest || more.is_empty()) && more.iter().all(|arg| Place::Any.matches(arg))
    }

    pub(crate) fn words(&self) -> &[Word] {
        &self.words
    }

    /// Some place takes any word.
    pub(crate) fn is_free(&self) -> bool {
        let any = |word: &Word| matches!(word, Word::Place(Place::Any) | Word::Option(_, Place::Any));
        self.rest || self.words.iter().any(any)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words.iter().map(|word| match word {
            Word::Literal(text) => text.clone(),
            Word::Place(place) => place.as_str().to_owned(),
            Word::Option(before, place) => format!("{before}{}", place.as_str()),
        });
        let words: Vec<String> = words.chain(self.rest.then(|| "**".to_owned())).collect();
        f.write_str(&words.join(" "))
    }
}

impl Word {
    fn parse(word: &str) -> Result<Self, PatternError> {
        if let Some(place) = Place::parse(word) {
            return Ok(Word::Place(place));
        }
        if let Some((before, after)) = word.split_once('=')
            && let Some(place) = Place::parse(after)
            && !before.contains(['*', '<', '>'])
        {
            return Ok(Word::Option(format!("{before}="), place));
        }
        if word.contains(['*', '<', '>']) {
            return Err(PatternError::Unknown(word.to_owned()));
        }
        Ok(Word::Literal(word.to_owned()))
    }

    fn matches(&self, arg: &str) -> bool {
        match self {
            Word::Literal(text) => text == arg,
            Word::Place(place) => place.matches(arg),
            Word::Option(before, place) => arg.strip_prefix(before.as_str()).is_some_and(|value| place.matches(value)),
        }
    }
}

impl Place {
    const ALL: [Place; 6] = [Place::Any, Place::Int, Place::Rev, Place::Range, Place::Path, Place::Repo];

    fn parse(word: &str) -> Option<Self> {
        Place::ALL.into_iter().find(|place| place.as_str() == word)
    }

    fn as_str(self) -> &'static str {
        match self {
            Place::Any => "*",
            Place::Int => "<int>",
            Place::Rev => "<rev>",
            Place::Range => "<range>",
            Place::Path => "<path>",
            Place::Repo => "<repo>",
        }
    }

    fn matches(self, value: &str) -> bool {
        // Holds for every place, so that no later rule can forget it.
        if value.is_empty() || value.starts_with('-') || value.chars().any(char::is_control) {
            return false;
        }
        match self {
            Place::Any => true,
            Place::Int => value.len() <= 18 && value.bytes().all(|byte| byte.is_ascii_digit()),
            Place::Rev => is_revision(value),
            Place::Range => is_range(value),
            Place::Path => is_path(value),
            Place::Repo => value
                .split_once('/')
                .is_some_and(|(owner, name)| is_slug(owner) && is_slug(name)),
        }
    }
}

/// A name, a hash, and steps from it: `v1.2~3`, `feature/a-b@{1}`, `HEAD^`. No `:` (a path
/// inside a commit), no `..`, nothing that a glob or a shell would read.
fn is_revision(value: &str) -> bool {
    let sign = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '/' | '~' | '^' | '@' | '{' | '}' | '-' | '+');
    (1..=256).contains(&value.len())
        && !value.starts_with(['-', '^', '/', '.'])
        && !value.contains("..")
        && !value.contains("{/")
        && value.chars().all(sign)
}

fn is_range(value: &str) -> bool {
    let Some((from, to)) = value.split_once("...").or_else(|| value.split_once("..")) else {
        return false;
    };
    is_revision(from) && is_revision(to)
}

fn is_path(value: &str) -> bool {
    // `:` at the start is git's pathspec magic, and a drive elsewhere.
    !value.starts_with(['/', ':', '~'])
        && !value.contains(['\\', '\0'])
        && value.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn is_slug(part: &str) -> bool {
    (1..=100).contains(&part.len())
        && !part.starts_with(['-', '.'])
        && part
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests;
