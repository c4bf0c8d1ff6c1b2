//! E-mails to people.

use zeroize::Zeroizing;

use crate::base::word_enum::word_enum;

word_enum! {
    /// The kinds of e-mails that each person chooses for themselves.
    pub enum MailKind {
        /// A leak in one of their teams was found, or works again.
        Incidents = "incidents",
        /// A credential of theirs expires in 14, 3 or 1 days.
        Expiring = "expiring",
        /// Somebody else generated a credential for a team that they manage.
        Generated = "generated",
        /// Somebody signed in as them from a browser that they had not used before.
        SignIn = "sign_in",
    }
}

/// What a person gets who chose nothing.
pub(crate) fn default_choice() -> Vec<MailKind> {
    MailKind::ALL.to_vec()
}

/// An e-mail.
pub struct Mail {
    /// The address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text. It may hold a one-time link, so it is overwritten in memory.
    pub text: Zeroizing<String>,
}
