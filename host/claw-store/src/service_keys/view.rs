//! A key as programs are shown it: over HTTP and by `--json`. Times are RFC 3339.

use serde::Serialize;

use super::KeyRecord;
use crate::time::rfc3339;

/// What programs are shown of a key. Never a secret, never a hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyView {
    /// Its public id.
    pub id: String,
    /// The service that holds it.
    pub service: String,
    /// `active`, `rotating`, `expired` or `revoked`.
    pub state: &'static str,
    /// Patterns of the model uses that it may name; `null`: see `skills`.
    pub uses: Option<Vec<String>>,
    /// Patterns of the skills that it may invoke. Both are `null` where it may make every call.
    pub skills: Option<Vec<String>>,
    /// What its calls may cost: `50usd/month`.
    pub budget: Option<String>,
    /// The same, in billionths of a US dollar.
    pub budget_nanousd: Option<u64>,
    /// Requests a minute.
    pub rpm: Option<u32>,
    /// When it was made.
    pub created_at: String,
    /// When it ends by itself.
    pub expires_at: Option<String>,
    /// It may see all drafts, and approve or reject those that its service did not propose.
    pub approves: bool,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// When it was last used; a running gateway writes this down within a minute.
    pub last_used_at: Option<String>,
    /// When its newest secret was made.
    pub secret_made_at: Option<String>,
    /// Until when an older secret works too.
    pub overlap_until: Option<String>,
}

impl KeyRecord {
    /// As programs are shown it at this time.
    pub fn view(&self, now_us: i64) -> KeyView {
        let scope = &self.scope;
        let overlap = self.overlap_until_us.filter(|until| *until > now_us);
        KeyView {
            id: scope.id.clone(),
            service: scope.service.clone(),
            state: self.state(now_us).as_str(),
            uses: scope.uses.clone(),
            skills: scope.skills.clone(),
            budget: scope.budget.map(|budget| budget.to_string()),
            budget_nanousd: scope.budget.map(|budget| budget.limit_nanousd),
            rpm: scope.rpm,
            created_at: rfc3339(self.created_at_us),
            expires_at: scope.expires_at_us.map(rfc3339),
            approves: scope.approves,
            revoked_at: self.revoked_at_us.map(rfc3339),
            last_used_at: self.last_used_at_us.map(rfc3339),
            secret_made_at: self.secret_made_at_us.map(rfc3339),
            overlap_until: overlap.map(rfc3339),
        }
    }
}
