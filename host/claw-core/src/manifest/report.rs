//! Collects findings while a file is read; how much each weighs is decided at the end.

use super::{Code, Diagnostic, Origin, Severity};

/// More than this helps nobody, and a hostile file could make millions.
const MOST: usize = 200;

struct Finding {
    code: Code,
    line: usize,
    key: String,
    message: String,
    hint: Option<String>,
}

/// The findings of one file.
pub(super) struct Report {
    file: String,
    findings: Vec<Finding>,
    dropped: usize,
}

impl Report {
    pub(super) fn new(origin: &Origin) -> Report {
        Report {
            file: origin.path.display().to_string(),
            findings: Vec::new(),
            dropped: 0,
        }
    }

    /// A report that nobody reads.
    pub(super) fn aside() -> Report {
        Report {
            file: String::new(),
            findings: Vec::new(),
            dropped: 0,
        }
    }

    /// The last part of the file's path.
    pub(super) fn file_name(&self) -> &str {
        self.file.rsplit(['/', '\\']).next().unwrap_or_default()
    }

    /// Adds a finding about `key` on `line`. An empty key means the file as a whole.
    pub(super) fn add(&mut self, code: Code, line: usize, key: &str, message: impl Into<String>, hint: &str) {
        // Errors decide whether the file loads, so they are never among the dropped.
        if self.findings.len() >= MOST && code.on_load() != Some(Severity::Error) {
            self.dropped += 1;
            return;
        }
        if self.findings.len() >= MOST * 2 {
            self.dropped += 1;
            return;
        }
        let hint = Some(hint).filter(|hint| !hint.is_empty()).map(str::to_owned);
        self.findings.push(Finding {
            code,
            line: line.max(1),
            key: key.to_owned(),
            message: message.into(),
            hint,
        });
    }

    /// How many findings there are so far that keep the file from loading.
    pub(super) fn errors(&self) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.code.on_load() == Some(Severity::Error))
            .count()
    }

    /// The findings in the order of lines, weighed; those without a weight are left out.
    pub(super) fn into_diagnostics(mut self, weigh: fn(Code) -> Option<Severity>) -> Vec<Diagnostic> {
        if self.dropped > 0 {
            let message = format!("{} more findings are not shown", self.dropped);
            self.add_last(message);
        }
        self.findings.sort_by_key(|finding| finding.line);
        let file = self.file;
        let weighed = self.findings.into_iter().filter_map(|finding| {
            let severity = weigh(finding.code)?;
            let Finding {
                code,
                line,
                key,
                message,
                hint,
            } = finding;
            Some(Diagnostic {
                severity,
                code,
                file: file.clone(),
                line,
                key,
                message,
                hint,
            })
        });
        weighed.collect()
    }

    fn add_last(&mut self, message: String) {
        let line = self.findings.iter().map(|finding| finding.line).max().unwrap_or(1);
        let hint = Some("repair the first ones and look again".to_owned());
        self.findings.push(Finding {
            code: Code::MoreFindings,
            line,
            key: String::new(),
            message,
            hint,
        });
    }
}
