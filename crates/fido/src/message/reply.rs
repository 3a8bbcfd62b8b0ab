//! What an answer to a message begins with.

use super::{
    Kind, Mailbox, Summary, View,
    header::{Fields, MAX_MAILBOXES},
};

/// Columns of the text that is quoted, with the mark before it.
const WIDTH: usize = 76;

/// Lines that are quoted.
const MAX_QUOTED: usize = 5000;

/// The fields and the quoted text of an answer (RFC 5322 section 3.6); every text is fit for a header, but not
/// encoded yet (RFC 2047).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// For whom: the Reply-To, or else the From; of an own message, those whom it was for.
    pub to: Vec<Mailbox>,
    /// For whom else, if the answer is for all.
    pub cc: Vec<Mailbox>,
    /// The subject with `Re: ` before it, once.
    pub subject: String,
    /// The identifier of the message, in brackets; empty where it has none.
    pub in_reply_to: String,
    /// The identifiers of its thread, each in brackets.
    pub references: Vec<String>,
    /// Who wrote when, and the text, each line marked as quoted.
    pub body: String,
}

impl Reply {
    /// An answer to `message` from the owner of the addresses `own`, for its sender or for `all`.
    #[must_use]
    pub fn to(message: &[u8], own: &[&str], all: bool) -> Self {
        let summary = Summary::of(message);
        let (mut from, mut reply_to, mut to, mut cc) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut written = String::new();
        for field in Fields::of(message) {
            let list = match field.name.to_ascii_lowercase().as_str() {
                "from" => &mut from,
                "reply-to" => &mut reply_to,
                "to" => &mut to,
                "cc" => &mut cc,
                "date" => {
                    written = field.text();
                    continue;
                }
                _ => continue,
            };
            if list.len() < MAX_MAILBOXES {
                list.extend(field.mailboxes().into_iter().filter(Mailbox::is_usable));
            }
        }
        let is_own = |mailbox: &Mailbox| own.iter().any(|own| mailbox.is_same(own));
        let mut taken = Taken { own, addresses: Vec::new() };
        let mut answer = Self::default();
        if from.iter().any(is_own) {
            taken.add(&mut answer.to, to);
        } else {
            taken.add(&mut answer.to, if reply_to.is_empty() { from } else { reply_to });
            if all {
                taken.add(&mut answer.cc, to);
            }
        }
        if all {
            taken.add(&mut answer.cc, cc);
        }
        answer.subject = subject(&summary.subject);
        let bracketed = |id: &String| format!("<{id}>");
        answer.references = summary.references.iter().map(bracketed).collect();
        if !summary.id.is_empty() {
            answer.in_reply_to = bracketed(&summary.id);
            answer.references.push(answer.in_reply_to.clone());
        }
        answer.body = body(message, &summary.from, &written);
        answer
    }
}

/// Lets each address in once, and none of the own ones.
struct Taken<'a> {
    own: &'a [&'a str],
    addresses: Vec<Mailbox>,
}

impl Taken<'_> {
    fn add(&mut self, list: &mut Vec<Mailbox>, mailboxes: Vec<Mailbox>) {
        for mailbox in mailboxes {
            let is_taken = self.addresses.iter().any(|taken| taken.is_same(&mailbox.address));
            if !is_taken
                && self.addresses.len() < MAX_MAILBOXES
                && !self.own.iter().any(|own| mailbox.is_same(own))
            {
                self.addresses.push(mailbox.clone());
                list.push(mailbox);
            }
        }
    }
}

fn subject(text: &str) -> String {
    let mut rest = text.trim();
    while let Some(after) = rest.get(..3).filter(|start| start.eq_ignore_ascii_case("re:")).and(rest.get(3..))
    {
        rest = after.trim_start();
    }
    format!("Re: {rest}").trim_end().to_owned()
}

fn body(message: &[u8], from: &Mailbox, written: &str) -> String {
    let name = if from.name.is_empty() { &from.address } else { &from.name };
    let mut body = match (written, name.as_str()) {
        ("", "") => String::new(),
        ("", name) => format!("{name} wrote:\n"),
        (date, "") => format!("On {date}, somebody wrote:\n"),
        (date, name) => format!("On {date}, {name} wrote:\n"),
    };
    let view = View::of(message, WIDTH - 2);
    let text = view.lines().iter().filter(|line| line.kind == Kind::Text);
    let mut lines: Vec<&str> = text.take(MAX_QUOTED + 1).map(|line| line.text.as_str()).collect();
    let is_cut = lines.len() > MAX_QUOTED;
    lines.truncate(MAX_QUOTED);
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    for line in lines {
        body += match line.chars().next() {
            None => ">",
            Some('>') => ">",
            Some(_) => "> ",
        };
        body += line;
        body.push('\n');
    }
    if is_cut {
        body += "> [...]\n";
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] =
        b"From: Smith <smith@x.example>\nTo: fido@dog.example, \"Rex, the\" <rex@y.example>\n\
        Cc: SMITH@x.example, cat@z.example, bad address <a b@c>\nSubject: RE: re: Bone\nMessage-ID: <2@x>\n\
        References: <1@x>\nDate: Tue, 5 Mar 2024 10:00:00 +0100\n\n> old\nnew\n\n-- \nSmith\n";

    fn addresses(list: &[Mailbox]) -> Vec<&str> {
        list.iter().map(|mailbox| mailbox.address.as_str()).collect()
    }

    #[test]
    fn an_answer_goes_to_the_sender_or_to_all_but_oneself() {
        let answer = Reply::to(MESSAGE, &["Fido@dog.example"], false);
        assert_eq!((addresses(&answer.to), addresses(&answer.cc)), (vec!["smith@x.example"], vec![]));
        let answer = Reply::to(MESSAGE, &["Fido@dog.example"], true);
        assert_eq!(addresses(&answer.cc), ["rex@y.example", "cat@z.example"]);
        let own = Reply::to(MESSAGE, &["smith@x.example"], true);
        assert_eq!(addresses(&own.to), ["fido@dog.example", "rex@y.example"]);
        let list = [b"Reply-To: list@l.example\n", MESSAGE].concat();
        assert_eq!(addresses(&Reply::to(&list, &[], false).to), ["list@l.example"]);
    }

    #[test]
    fn an_answer_belongs_to_the_thread_and_quotes() {
        let answer = Reply::to(MESSAGE, &[], false);
        assert_eq!((answer.subject.as_str(), answer.in_reply_to.as_str()), ("Re: Bone", "<2@x>"));
        assert_eq!(answer.references, ["<1@x>", "<2@x>"]);
        assert_eq!(answer.body, "On Tue, 5 Mar 2024 10:00:00 +0100, Smith wrote:\n>> old\n> new\n");
        assert_eq!(Reply::to(b"", &[], true), Reply { subject: "Re:".into(), ..Reply::default() });
    }

    #[test]
    fn no_field_of_an_answer_can_hold_a_line_end() {
        let message =
            b"From: =?utf-8?q?a=0D=0ABcc=3A_x?= <=?utf-8?q?a=0A?=@b>\nSubject: =?utf-8?q?x=0AY=3A_z?=\n\n";
        let answer = Reply::to(message, &[], true);
        let texts = answer.to.iter().map(|to| to.name.clone() + &to.address).chain([answer.subject]);
        assert!(texts.into_iter().all(|text| !text.contains(char::is_control)));
    }
}
