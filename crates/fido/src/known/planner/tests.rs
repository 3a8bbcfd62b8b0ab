use super::*;

/// A message by a letter for its octets; capitals are large, and all others of one size.
fn message(letter: char) -> Fingerprint {
    let size = if letter.is_uppercase() { 100_000 } else { 10 };
    Fingerprint { size, digest: [letter as u8; 32] }
}

/// A folder of which these are known: `.` is one that nobody looked at, `-` one that was left, `0` a hole.
fn memory(letters: &str) -> Memory {
    let mut memory = Memory::default();
    for (number, letter) in (1..).zip(letters.chars()) {
        let Fingerprint { size, digest } = message(letter);
        match letter {
            '.' => None,
            '-' => memory.there.insert(number, Entry { size, digest: None }),
            '0' => memory.there.insert(number, Entry::HOLE),
            _ => memory.there.insert(number, Entry { size, digest: Some(digest) }),
        };
    }
    memory
}

fn letters(memory: &Memory) -> String {
    let last = memory.there.last_key_value().map_or(0, |(&last, _)| last);
    let letter = |number| match memory.there.get(&number) {
        None => '.',
        Some(&Entry::HOLE) => '0',
        Some(entry) => entry.digest.map_or('-', |digest| digest[0].into()),
    };
    (1..=last).map(letter).collect()
}

/// Holds a session with a server that has these, and tells what was asked: `3` a size, `3=a` a message that is
/// known, `3+a` a new one, `3?a` one that comes later.
fn session(planner: &mut Planner, server: &str) -> String {
    let server: Vec<_> = server.chars().collect();
    let at = |number: u32| server[number as usize - 1];
    let mut asked = Vec::new();
    loop {
        match planner.ask() {
            Ask::Size(number) => {
                asked.push(number.to_string());
                planner.size(if at(number) == '0' { 0 } else { message(at(number)).size });
            }
            Ask::Retrieve(number) => {
                let sign = match planner.retrieved(message(at(number))) {
                    Verdict::New => '+',
                    Verdict::Known => '=',
                    Verdict::Later => '?',
                };
                assert_eq!(asked.pop(), Some(number.to_string()), "its size was asked just before");
                asked.push(format!("{number}{sign}{}", at(number)));
            }
            Ask::Done => return asked.join(" "),
        }
    }
}

fn after(known: &Memory, server: &str, options: Options) -> (String, Memory) {
    let mut planner = Planner::new(known, u32::try_from(server.len()).unwrap(), options);
    let asked = session(&mut planner, server);
    (asked, planner.finish(Quit::Answered).unwrap())
}

const ALL: Options = Options { verify: false, newest: None, limit: None, max_size: None };

#[test]
fn each_size_is_asked_once_and_the_last_known_message_is_proof() {
    for (known, server, asked, left) in [
        ("", "", "", ""),
        ("", "ab", "1+a 2+b", "ab"),
        ("ABC", "ABC", "1 2 3=C", "ABC"),
        ("ABC", "ABCDe", "1 2 3=C 4+D 5+e", "ABCDe"),
        // One more is looked at in turn.
        ("abc", "abcd", "1 2=b 3=c 4+d", "abcd"),
        // A copy of what is proved is one more message; of what is not, that has to be seen first.
        ("AB", "ABB", "1 2=B 3+B", "ABB"),
        ("AB", "ABA", "1 2=B 3?A 1=A 3+A", "ABA"),
        // Others deleted, and sizes fit or not.
        ("ABC", "BC", "1=B 2=C", "BC"),
        ("aBC", "BCD", "1 1=B 2=C 3+D", "BCD"),
        ("ABC", "BCD", "1 2 3+D 1=B 2=C", "BCD"),
        // Others moved the last but one to the end, and put a new one in its place.
        ("ABC", "ADCB", "1 2 3=C 4?B 1=A 2+D 4=B", "ADCB"),
        // What was left is new as well, and a hole is where it was, or all is retrieved.
        ("-a", "ba", "1 2=a 1+b", "ba"),
        (".a", "ba", "2=a 1+b", "ba"),
        ("A0B", "A0BC", "1 2 3=B 4+C", "A0BC"),
        ("A0B", "ABC", "1 2 1=A 2=B 3+C", "ABC"),
        // What is deleted while the session lasts is a hole, and the one before it has to be proof.
        ("AB", "A0C", "1 2 1=A 3+C", "A0C"),
        ("AB", "00C", "1 2 3+C", "00C"),
    ] {
        let (was, memory) = after(&memory(known), server, ALL);
        assert_eq!((was.as_str(), letters(&memory).as_str()), (asked, left), "{known:?} then {server:?}");
    }
}

#[test]
fn verify_retrieves_everything() {
    let verify = Options { verify: true, ..ALL };
    assert_eq!(after(&memory("abc"), "axc", verify).0, "1=a 2+x 3=c");
    assert_eq!(after(&memory("aab"), "baa", verify).0, "1=b 2=a 3=a");
}

#[test]
fn what_a_session_does_not_want_the_next_one_gets() {
    let newest = |newest| Options { newest: Some(newest), ..ALL };
    let (asked, memory) = after(&Memory::default(), "abcd", newest(2));
    assert_eq!((asked.as_str(), letters(&memory).as_str()), ("3+c 4+d", "..cd"));
    assert_eq!(after(&memory, "abcdef", newest(1)).0, "3=c 4=d 6+f");
    assert_eq!(after(&memory, "abcd", newest(9)).0, "3=c 4=d 1+a 2+b");
    assert_eq!(after(&memory, "", newest(9)).0, "");

    let limit = |limit| Options { limit: Some(limit), ..ALL };
    let (asked, memory) = after(&Memory::default(), "ABCD", limit(3));
    assert_eq!((asked.as_str(), letters(&memory).as_str()), ("1+A 2+B 3+C", "ABC"));
    assert_eq!(after(&memory, "ABCDE", limit(0)).0, "1 2 3=C");
    assert_eq!(after(&memory, "ABCDE", limit(1)).0, "1 2 3=C 4+D");

    let small = Options { max_size: Some(10), ..ALL };
    let mut planner = Planner::new(&Memory::default(), 3, small);
    assert_eq!(session(&mut planner, "aBc"), "1+a 2 3+c");
    assert_eq!(planner.skipped(), [(2, 100_000)]);
    let memory = planner.finish(Quit::Answered).unwrap();
    assert_eq!(letters(&memory), "a-c");
    assert_eq!(after(&memory, "aBc", small).0, "1=a 2 3=c 2");
    assert_eq!(after(&memory, "aBc", ALL).0, "1=a 2 3=c 2+B");
}

#[test]
fn what_was_stored_before_a_cut_is_known() {
    let mut known = memory("AB");
    known.here = vec![message('c'), message('A')];
    let (asked, left) = after(&known, "ABcAd", ALL);
    assert_eq!((asked.as_str(), left.here.len()), ("1 2=B 3=c 4=A 5+d", 0));
    // What was not seen may still be there, as long as not everything is retrieved.
    for (server, here) in [("ABd", 2), ("AB0d", 2), ("", 4), ("Bd", 0), ("B0", 3)] {
        assert_eq!(after(&known, server, ALL).1.here.len(), here, "{server:?}");
    }
}

#[test]
fn what_is_marked_is_gone_or_in_doubt() {
    let known = memory("AB");
    let done = |quit| {
        let mut planner = Planner::new(&known, 4, ALL);
        session(&mut planner, "ABcd");
        planner.marked(1);
        planner.marked(2);
        planner.marked(3);
        planner.finish(quit).unwrap()
    };
    let memory = done(Quit::Answered);
    assert_eq!((letters(&memory).as_str(), memory.here.len()), ("Ad", 0));
    let memory = done(Quit::Unanswered);
    assert_eq!((letters(&memory).as_str(), memory.here), ("AB", vec![message('c'), message('d')]));
}

#[test]
fn a_session_that_is_not_over_forgets_nothing() {
    let planner = Planner::new(&memory("AB"), 3, ALL);
    assert_eq!(planner.finish(Quit::Answered), None);
}

#[test]
fn each_known_message_has_its_turn() {
    let mut memory = memory("abXcd");
    let mut turns = String::new();
    for _ in 0..4 {
        let asked;
        (asked, memory) = after(&memory, "abXcd", ALL);
        turns.extend(asked.split(' ').filter_map(|asked| asked.split_once('=')).map(|(_, letter)| letter));
    }
    // The large one has none, and the last is proof each time.
    assert_eq!(turns, "cdbdadcd");
}

#[test]
fn an_absurd_count_takes_no_memory_of_its_own() {
    let options = Options { newest: Some(2), ..ALL };
    let mut planner = Planner::new(&memory("A"), u32::MAX, options);
    planner.size(100_000);
    assert_eq!(planner.retrieved(message('A')), Verdict::Known);
    for number in [u32::MAX - 1, u32::MAX] {
        assert_eq!(planner.ask(), Ask::Size(number));
        planner.size(0);
    }
    assert_eq!(planner.ask(), Ask::Done);
    assert_eq!(letters(&planner.finish(Quit::Answered).unwrap()), "A");
}

#[test]
fn answers_that_were_not_asked_for_change_nothing() {
    let mut planner = Planner::new(&Memory::default(), 1, ALL);
    assert_eq!(planner.retrieved(message('a')), Verdict::Later);
    planner.size(10);
    planner.size(10);
    planner.marked(1);
    assert_eq!(planner.ask(), Ask::Retrieve(1));
    assert_eq!(planner.retrieved(message('a')), Verdict::New);
    assert_eq!(letters(&planner.finish(Quit::Answered).unwrap()), "a");
}
