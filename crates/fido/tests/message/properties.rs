//! What holds of any octets.

use std::fs;

use fido::message::{Mailbox, Reply, Summary, View, safe_name};
use proptest::prelude::*;

use crate::check::{check, check_line, check_name};

/// Pieces that messages are made of, in good order or not.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "\r\n",
        "\n",
        "\n\n",
        "\r",
        "From: ",
        "Subject: ",
        "Date: ",
        "To: a <b@c>, \"d\"",
        "References: <a@b>",
        "Content-Type: multipart/mixed; boundary=b",
        "Content-Type: multipart/alternative; boundary=\"b\"",
        "Content-Type: text/html; charset=utf-16",
        "Content-Type: message/rfc822",
        "Content-Type: text/plain; format=flowed",
        "Content-Type: multipart/signed; boundary=b",
        "Content-Type: text/plain; charset=iso-2022-jp",
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: quoted-printable",
        "--b",
        "--b--",
        "\n--b\n",
        "Content-Disposition: attachment; filename*0*=utf-8''%1b%e2%80%ae; filename*1=x",
        "=?utf-8?q?=1b=5d?=",
        "=?iso-2022-jp?b?GyRC?=",
        "=?utf-8?b?4oI=?=",
        "\x1b]52;c;aGk=\x07",
        "\u{202e}",
        "\u{200b}",
        "\u{301}",
        "犬",
        "👨‍👩‍👧",
        "> ",
        ">",
        "-- \n",
        "\t",
        "<a href='https://x.example/\u{430}'>",
        "</a>",
        "<table><td>",
        "<pre>",
        "<!--",
        "&#27;",
        "&#x202e;",
        "<li>",
        "\u{85}",
        "\u{9b}",
        "\u{2028}",
        "+AD4-",
        "\u{e0041}",
        "\u{1f1e9}\u{1f1ea}",
        "ﷺ",
        "\u{1160}",
    ])
    .prop_map(|text| text.as_bytes().to_vec());
    let any = prop::collection::vec(any::<u8>(), 0..12);
    prop::collection::vec(prop_oneof![4 => known, 1 => any], 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_octets_are_shown_safely(message in pieces(), width in 0_usize..100) {
        let view = View::of(&message, width);
        check(&view, width.max(1));
        let _ = view.holds("a");
        let summary = Summary::of(&message);
        for text in [&summary.subject, &summary.from.name, &summary.from.address, &summary.id] {
            check_line(text);
        }
        let reply = Reply::to(&message, &["b@c"], true);
        reply.body.lines().for_each(check_line);
        for Mailbox { name, address } in reply.to.iter().chain(&reply.cc) {
            check_line(name);
            check_line(address);
        }
        for text in reply.references.iter().chain([&reply.subject, &reply.in_reply_to]) {
            check_line(text);
        }
    }

    #[test]
    fn any_text_in_any_wrapping_is_shown_safely(text in any::<String>(), width in 1_usize..20, html in any::<bool>()) {
        let kind = if html { "html" } else { "plain" };
        check(&View::of(format!("Content-Type: text/{kind}; charset=utf-8\n\n{text}").as_bytes(), width), width);
    }

    #[test]
    fn any_name_is_one_of_a_file_in_its_folder(name in prop_oneof![any::<String>(), "[./\\\\ a\u{202e}\0\n-]{0,20}", "\\PC{0,400}"]) {
        check_name(&safe_name(&name, "attachment"));
    }
}

#[test]
fn a_file_is_saved_in_its_folder_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let names = [
        "../../.bashrc",
        "/etc/passwd",
        "con",
        "",
        "a\\..\\b",
        "%00x%0A",
        "trail.. ",
        "..",
        "-rf",
        "x/../../y",
        &"n".repeat(3000),
    ];
    for name in names {
        let name = name.replace('"', "");
        let message =
            format!("Content-Type: image/png\nContent-Disposition: attachment; filename=\"{name}\"\n\nwoof");
        let view = View::of(message.as_bytes(), 80);
        let path = view.attachments()[0].save_as(message.as_bytes(), &inner).unwrap();
        assert_eq!(path.parent(), Some(inner.as_path()));
        assert_eq!(fs::read(path).unwrap(), b"woof");
    }
    assert_eq!(fs::read_dir(&inner).unwrap().count(), names.len(), "each is a file of its own");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
