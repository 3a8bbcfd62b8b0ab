//! The cases, one a row. To add one, write its function and add a row.

use std::{future::ready, pin::Pin};

use super::{before, bench::Bench, finding::Tried, folders, messages};

/// Something that is tried.
pub(super) struct Case {
    /// Short, and the same in every version: other programs may look for it.
    pub(super) name: &'static str,
    /// The title in RFC 937, or the decision's number where that is silent.
    pub(super) rests_on: &'static str,
    pub(super) needs: Needs,
    pub(super) run: Run,
}

/// Tries a case.
pub(super) type Run = for<'a> fn(&'a Bench) -> Pin<Box<dyn Future<Output = Tried> + 'a>>;

/// What must be there for a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// A server.
    Nothing,
    /// A login.
    Login,
    /// A login, and a default mailbox with so many messages.
    Messages(u32),
    /// A login, and a default mailbox without messages.
    Empty,
    /// A login and a folder.
    Folder,
}

impl Needs {
    /// Why a case with these needs cannot be tried.
    pub(super) fn missing(self, bench: &Bench) -> Option<String> {
        let count = bench.count.get();
        match self {
            Self::Nothing => None,
            _ if !bench.has_login() => Some("it needs --user".to_owned()),
            Self::Messages(_) if count == 0 => Some("the mailbox is empty".to_owned()),
            Self::Messages(least) if count < least => Some(format!("it needs {least} messages")),
            Self::Empty if count > 0 => Some("the mailbox is not empty".to_owned()),
            Self::Folder if bench.folder.is_none() => Some("it needs --folder".to_owned()),
            _ => None,
        }
    }
}

/// A row. `look at` stands before a function that says nothing itself, but looks at what was heard.
macro_rules! case {
    ($name:literal, $rests_on:literal, $needs:expr, look at $look:expr) => {
        Case { name: $name, rests_on: $rests_on, needs: $needs, run: |bench| Box::pin(ready($look(bench))) }
    };
    ($name:literal, $rests_on:literal, $needs:expr, $run:expr) => {
        Case { name: $name, rests_on: $rests_on, needs: $needs, run: |bench| Box::pin($run(bench)) }
    };
}

use Needs::{Empty, Folder, Login, Messages, Nothing};

/// All of them. Those that see what the others have brought to light, and the wrong login, which a server may
/// answer by slowing down, come last.
pub(super) const CASES: &[Case] = &[
    case!("greeting", "Greeting", Nothing, before::greeting),
    case!("QUIT at once", "QUIT", Nothing, before::quit),
    case!("garbage", "Decision Table", Nothing, before::garbage),
    case!("READ before HELO", "Decision Table", Nothing, before::read_first),
    case!("lower case", "decision 8", Nothing, before::lower_case),
    case!("bare LF", "decision 9", Nothing, before::bare_lf),
    case!("two segments", "decision 9", Nothing, before::two_segments),
    case!("telnet options", "decision 9", Nothing, before::telnet_options),
    case!("512 octets", "Sizes", Nothing, before::line_of_512),
    case!("513 octets", "Sizes", Nothing, before::line_of_513),
    case!("HELO", "HELO", Login, messages::helo),
    case!("QUIT in MBOX", "QUIT", Login, messages::quit_in_mbox),
    case!("QUIT in ITEM", "QUIT", Login, messages::quit_in_item),
    case!("QUIT in NEXT", "Decision Table", Messages(1), messages::quit_in_next),
    case!("garbage in MBOX", "Decision Table", Login, messages::garbage),
    case!("ACKS in MBOX", "Decision Table", Login, messages::acks_first),
    case!("RETR in MBOX", "Decision Table", Login, messages::retr_first),
    case!("READ", "READ", Messages(1), messages::read),
    case!("READ past the end", "READ", Login, messages::read_past),
    case!("READ 0", "READ", Login, messages::read_0),
    case!("READ, too large", "READ", Login, messages::read_too_large),
    case!("READ of no mail", "decision 3", Empty, messages::read_empty),
    case!("RETR of nothing", "RETR", Login, messages::retr_nothing),
    case!("message length", "Message Length", Messages(1), messages::length),
    case!("message lines", "End of Line", Messages(1), look at messages::line_ends),
    case!("NACK", "NACK", Messages(1), messages::nack),
    case!("ACKS", "ACKS", Messages(1), messages::acks),
    case!("after the last", "decision 12", Messages(1), messages::after_the_last),
    case!("sent ahead", "decision 27", Login, messages::sent_ahead),
    case!("second session", "decision 16", Login, messages::second_session),
    case!("FOLD, 512 octets", "Sizes", Login, folders::line_of_512),
    case!("FOLD to nowhere", "FOLD", Login, folders::nowhere),
    case!("FOLD INBOX", "decision 23", Messages(1), folders::back),
    case!("FOLD, then READ", "READ", Messages(2), folders::starts_at_one),
    case!("FOLD, quoted", "Quoting", Messages(1), folders::quoted),
    case!("FOLD to --folder", "FOLD", Folder, folders::named),
    case!("wrong HELO", "HELO", Nothing, before::wrong_helo),
    case!("reply lines", "Sizes", Nothing, look at before::reply_lines),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::bench::MAX_CONNECTIONS, *};

    #[test]
    fn cases_have_names_of_their_own_that_fit_their_columns_and_connections_to_spare() {
        let names: BTreeSet<_> = CASES.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), CASES.len());
        assert!(CASES.iter().all(|case| case.name.len() <= 17 && case.rests_on.len() <= 14));
        assert!(CASES.len() + 4 < MAX_CONNECTIONS as usize);
    }
}
