//! Known answers that nobody here computed, and hashes that must not be used.

use argon2::Params;
use pop2::Secret;

use crate::accounts::scheme::{Hash, Locked, stored};

/// The password of the hashes that other programs made for these tests.
const PASSWORD: &str = "Old Yeller 1957";
const LONG: &str = "a very much longer text to encrypt.  This one even stretches over morethan one line.";

fn assert_verifies(password: impl AsRef<[u8]>, field: &str) {
    let password = password.as_ref();
    let hash = Hash::parse(field.as_bytes()).unwrap_or_else(|locked| panic!("{field}: {locked}"));
    assert!(hash.verify(&Secret::new(password.to_vec())), "{field} is refused");
    let mut wrong = password.to_vec();
    match wrong.first_mut() {
        Some(first) => *first ^= 1,
        None => wrong.push(b' '),
    }
    assert!(!hash.verify(&Secret::new(wrong)), "{field} takes a wrong password");
}

fn locked(field: impl AsRef<[u8]>) -> Locked {
    Hash::parse(field.as_ref()).expect_err("the account is locked")
}

#[test]
fn sha_crypt_known_answers_of_its_specification() {
    for (password, hash) in [
        ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
        ("Hello world!", "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"),
        (
            "This is just a test",
            "$5$rounds=5000$toolongsaltstrin$Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5",
        ),
        (LONG, "$5$rounds=1400$anotherlongsalts$Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1"),
        (
            "we have a short salt string but not a short password",
            "$5$rounds=77777$short$JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/",
        ),
        ("a short string", "$5$rounds=123456$asaltof16chars..$gP3VQ/6X7UUEW3HkBn2w1/Ptq2jxPyzV/cZKmF/wJvD"),
        (
            "the minimum number is still observed",
            "$5$rounds=1000$roundstoolow$yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC",
        ),
        (
            "Hello world!",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        ),
        (
            "Hello world!",
            "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/\
             YTBmSK6H9qs/y3RnOaw5v.",
        ),
        (
            "This is just a test",
            "$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/\
             e1JSbq3y6JMxxl8audkUEm0",
        ),
        (
            LONG,
            "$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwb\
             tEW7o7UmJEiDwGqd8p4ur1",
        ),
        (
            "we have a short salt string but not a short password",
            "$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZel\
             Fl5CxtgfiAc0",
        ),
        (
            "a short string",
            "$6$rounds=123456$asaltof16chars..$BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwcelCjmw2kSYu.Ec6ycULevoBK25fs2x\
             XgMNrCzIMVcgEJAstJeonj1",
        ),
        (
            "the minimum number is still observed",
            "$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUN\
             Gc0dqbpBYYBaHHrsX.",
        ),
    ] {
        assert_verifies(password, hash);
        let named = if hash.starts_with("$5$") { "{SHA256-CRYPT}" } else { "{SHA512-CRYPT}" };
        assert!(Hash::parse(format!("{named}{hash}").as_bytes()).is_ok());
    }
}

#[test]
fn bcrypt_known_answers_of_crypt_blowfish() {
    let over_72 =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored";
    for (password, hash) in [
        (&b"U*U"[..], "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        (b"U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
        (b"U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
        (b"", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"),
        (over_72.as_bytes(), "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"),
        (b"\xff\xff\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"),
        (b"\xff\xff\xa3", "$2b$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"),
        (b"\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"),
        (b"\xff\xa334\xff\xff\xff\xa3345", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.o./n25XVfn6oAPaUvHe.Csk4zRfsYPi"),
    ] {
        assert_verifies(password, hash);
        assert_verifies(password, &format!("{{BLF-CRYPT}}{hash}"));
    }
}

#[test]
fn argon2_known_answers_of_its_reference_implementation() {
    for (password, hash) in [
        (
            "password",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        ),
        ("password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"),
        ("password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"),
        (
            "password",
            "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$9qWtwbpyPd3vm1rB1GThgPzZ3/ydHL92zKL+15XZypg",
        ),
        (
            "differentpassword",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94",
        ),
        (
            "password",
            "$argon2id$v=19$m=65536,t=2,p=1$ZGlmZnNhbHQ$vfMrBczELrFdWP0ZsfhWsRPaHppYdP3MVEMIVlqoFBw",
        ),
    ] {
        assert_verifies(password, &format!("{{ARGON2ID}}{hash}"));
    }
}

#[test]
fn hashes_of_other_programs() {
    for hash in [
        // openssl passwd -6, -5 and -6 -salt x
        "$6$5FOCuHiVDoXlWjjI$Aes6mKPNTlZkM.RQmr6MIgadm9OtGSmmSMQIvEwDT7yn9r7lF6rsCP2czBh6YK3sGjEE/7EPOxyH1L1NzNTdh/",
        "$5$/L3chVd3IY8cMiF5$Ss8eKf/CtNlU2XcA9sCXXWz5o.mchrowjSOPnx4u1DB",
        "$6$x$ZJYWgPh77VZhRwHS.2.ps64shALP6Qm0TOdbjAeJTJGXVWIfIWH7QHQokJuxaYKF./NCU8ManUn7xczfijyjE.",
        // crypt(3) of libxcrypt, by Perl and Python
        "$6$rounds=5000$perlperl$aRE6kVu.1isrY9MJ/sFBmtypCeu3/ofq5/smG.NfaqUWyxD4eMU/uz.GORbYIyDy2KztUt9JWE0inZRtkGCNr.",
        "$5$rounds=1234$perlperlperlperl$ce0xC67GeMJ1HgEEp//LTk1dTjheTPwb4PgBvQpXQd5",
        "$6$rounds=1000$kennel.salt$.VyvzXnUYaVL1EmyZlrRkBcIF97/ONVQl3FPhS8JC2bgI3YTTOM0/YND/lSXOn.y.3mmFA3aFmtVqXBUQzJN60",
        "$5$kennel$siWKy4k.qdMASdkqlh8auUegBBtyiZA/GRQTg6cz.79",
        "$2b$04$abcdefghijklmnopqrstuu0jRxOnYmq2C1Ew/zJYmwVLiFBbmsGcS",
        "$2y$04$zyxwvutsrqponmlkjihgfOFP.pkaFKOULGiRbLyU8AFW/ZrkKoXOe",
        "$2a$04$zyxwvutsrqponmlkjihgfOFP.pkaFKOULGiRbLyU8AFW/ZrkKoXOe",
        // libsodium's crypto_pwhash_str
        "$argon2id$v=19$m=8192,t=3,p=1$V/vk5yMczfku5mPHxXHIzw$kzUWt+KKj2myJlXidxDwfd7NPOTcdZ94POtwTGlKbhQ",
        // libargon2: 24 octets and four lanes; version 16, and what it takes for version 16
        "$argon2id$v=19$m=1024,t=2,p=4$ZG9naG91c2Utc2FsdA$nFx/Aim41y4GDxcjx5TUfjlptMl9DOtI",
        "$argon2id$v=16$m=1024,t=2,p=1$ZG9naG91c2Utc2FsdA$2FhbZOyMm5brrAfZQGio9D99YVtWX/9g06y3PrUsVNM",
        "$argon2id$m=1024,t=2,p=1$ZG9naG91c2Utc2FsdA$2FhbZOyMm5brrAfZQGio9D99YVtWX/9g06y3PrUsVNM",
    ] {
        assert_verifies(PASSWORD, hash);
        assert_verifies(PASSWORD, &format!("{{crypt}}{hash}"));
    }
    // crypt(3) of libxcrypt: 72 octets and 80 have the same hash.
    let seventy_two = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";
    assert_verifies("x".repeat(72), seventy_two);
    assert_verifies("x".repeat(80), seventy_two);
}

#[test]
fn plain_passwords() {
    assert_verifies("bone", "{PLAIN}bone");
    assert_verifies("bone", "{Cleartext}bone");
    assert_verifies("!bone{}$6$", "{plain}!bone{}$6$");
    assert_verifies("b\u{f6}ne", "{PLAIN}b\u{f6}ne");
    let hash = Hash::parse(b"{PLAIN}bone").expect("a plain password");
    for wrong in ["", "bon", "bones", "Bone"] {
        assert!(!hash.verify(&Secret::from(wrong)));
    }
}

#[test]
fn bcrypt_does_not_take_a_password_repeated_around_a_nul() {
    let hash = Hash::parse(b"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW").expect("usable");
    assert!(!hash.verify(&Secret::from("U*U\0U*U")));
}

#[test]
fn a_new_password_is_stored_with_the_costs_that_owasp_recommends() {
    let (first, second) = (stored(&Secret::from("bone")).unwrap(), stored(&Secret::from("bone")).unwrap());
    assert!(first.starts_with(b"{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_ne!(first, second, "each has its own salt");
    assert_verifies("bone", str::from_utf8(&first).unwrap());
    let Hash::Argon2id(nobody, ..) = Hash::of_nobody() else { panic!("another scheme") };
    assert_eq!(
        nobody.params(),
        &Params::new(19456, 2, 1, None).unwrap(),
        "nobody costs what a new password does"
    );
    assert!(!Hash::of_nobody().verify(&Secret::from("")));
}

#[test]
fn locked_on_purpose() {
    for field in ["", "!", "*", "!!", "!$6$saltstring$svn8Uo", "*LK*", "!{PLAIN}bone"] {
        assert_eq!(locked(field), Locked::OnPurpose, "{field}");
    }
}

#[test]
fn unknown_schemes_and_hashes_lock() {
    for field in ["{SSHA}bone", "{PLAIN.b64}Ym9uZQ==", "{ARGON2I}$argon2i$", "{}bone", "{PLAIN", "{"] {
        assert_eq!(locked(field), Locked::UnknownScheme, "{field}");
    }
    for field in
        ["bone", "$1$kennel$5rGJjQNdkPIFhpcdBCysq.", "$y$j9T$abcdefgh$xz6", "{CRYPT}abpP764Bb.inU", "{CRYPT}"]
    {
        assert_eq!(locked(field), Locked::UnknownHash, "{field}");
    }
    assert_eq!(locked(b"\xff\xfe"), Locked::UnknownHash);
    assert_eq!(locked("{PLAIN}"), Locked::EmptyPassword);
}

#[test]
fn damaged_hashes_lock() {
    let bcrypt = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    let sha256 = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5";
    let argon2 = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    for (scheme, hashes) in [
        (
            "BLF-CRYPT",
            vec![
                sha256.to_owned(),
                bcrypt.replace("$2a$", "$2x$"),
                bcrypt.replace("$05$", "$03$"),
                bcrypt.replace("$05$", "$xx$"),
                bcrypt[..59].to_owned(),
                format!("{bcrypt}."),
                bcrypt.replace("E5Y", "E:Y"),
            ],
        ),
        (
            "SHA256-CRYPT",
            vec![
                bcrypt.to_owned(),
                sha256.replace("$5$", "$6$"),
                sha256.replace("saltstring", ""),
                sha256.replace("saltstring", "seventeen.letters"),
                sha256.replace("saltstring", "rounds=999$saltstring"),
                sha256.replace("saltstring", "rounds=$saltstring"),
                sha256.replace("saltstring", "rounds=99999999999$saltstring"),
                sha256.replace("saltstring", "rounds=5000"),
                sha256.replace("WEc5", "WEc"),
                sha256.replace("WEc5", "WE$c"),
                format!("{sha256}$"),
                "$5$".to_owned(),
            ],
        ),
        ("SHA512-CRYPT", vec![sha256.to_owned(), sha256.replace("$5$", "$6$"), "$6$saltstring".to_owned()]),
        (
            "ARGON2ID",
            vec![
                argon2.replace("argon2id", "argon2i"),
                argon2.replace("v=19", "v=20"),
                argon2.replace("m=256", "m=7"),
                argon2.replace("t=2", "t=0"),
                argon2.replace("p=1", "p=1,x=1"),
                argon2.replace("c29tZXNhbHQ", "c29t"),
                argon2.replace("$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", ""),
                argon2.replace("nf65", "nf!5"),
                "$argon2id$".to_owned(),
                "\u{e9}".to_owned(),
            ],
        ),
    ] {
        for hash in hashes {
            assert_eq!(locked(format!("{{{scheme}}}{hash}")), Locked::Malformed(scheme), "{hash}");
        }
    }
}

#[test]
fn absurd_costs_lock() {
    let argon2 = |costs: &str| {
        format!("$argon2id$v=19${costs}$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
    };
    let bcrypt = |cost: &str| format!("$2b${cost}$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");
    let sha256 =
        |rounds: &str| format!("$5$rounds={rounds}$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5");
    for (scheme, hash) in [
        ("ARGON2ID", argon2("m=1048577,t=1,p=1")),
        ("ARGON2ID", argon2("m=4294967295,t=4294967295,p=16777215")),
        ("ARGON2ID", argon2("m=1048576,t=17,p=1")),
        ("ARGON2ID", argon2("m=8,t=4294967295,p=1")),
        ("BLF-CRYPT", bcrypt("17")),
        ("BLF-CRYPT", bcrypt("31")),
        ("BLF-CRYPT", bcrypt("99")),
        ("SHA256-CRYPT", sha256("10000001")),
        ("SHA256-CRYPT", sha256("999999999")),
    ] {
        assert!(matches!(locked(&hash), Locked::TooCostly(name, _) if name == scheme), "{hash}");
    }
    for hash in [argon2("m=1048576,t=16,p=1"), bcrypt("16"), sha256("10000000")] {
        assert!(Hash::parse(hash.as_bytes()).is_ok(), "{hash}");
    }
}

#[test]
fn debug_shows_the_scheme_alone() {
    for (field, shown) in [
        ("{PLAIN}bone", "Plain(..)"),
        ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "Bcrypt(..)"),
        ("$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "ShaCrypt(..)"),
        (
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "Argon2id(..)",
        ),
    ] {
        assert_eq!(format!("{:?}", Hash::parse(field.as_bytes()).expect("usable")), shown);
    }
}
