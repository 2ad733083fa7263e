//! What is a link, where it lies and where it leads; and what of honest prose is none.

use proptest::prelude::*;

use super::*;

/// Each link as it is written, and its host.
fn found(text: &str) -> Vec<(String, String)> {
    let mut links = Links::default();
    let found = links.find(text);
    let host = |host: Host<'_>| match host {
        Host::Name(name) => name.as_str().to_owned(),
        Host::V4(address) => address.to_string(),
        Host::V6(address) => address.to_string(),
    };
    found.iter().map(|link| (text[link.span.clone()].to_owned(), host(link.host))).collect()
}

fn one(text: &str, written: &str, host: &str) {
    assert_eq!(found(text), [(written.to_owned(), host.to_owned())], "{text:?}");
}

#[test]
fn links_with_and_without_a_scheme() {
    for (text, written, host) in [
        ("see https://x.y/z now", "https://x.y/z", "x.y"),
        ("HTTPS://Bank.NL/A", "HTTPS://Bank.NL/A", "bank.nl"),
        ("go www.x.y, ok", "www.x.y", "www.x.y"),
        ("www2.bank.nl", "www2.bank.nl", "www2.bank.nl"),
        ("bit.ly/abc", "bit.ly/abc", "bit.ly"),
        ("at x.co.uk today", "x.co.uk", "x.co.uk"),
        ("bank.nl", "bank.nl", "bank.nl"),
        ("(bank.nl)", "bank.nl", "bank.nl"),
        ("Bank.nl: hello", "Bank.nl", "bank.nl"),
        ("see bank.nl.", "bank.nl", "bank.nl"),
        ("see...bank.nl...", "bank.nl", "bank.nl"),
        ("bank.nl:8080/a", "bank.nl:8080/a", "bank.nl"),
        ("bank.nl:8080", "bank.nl:8080", "bank.nl"),
        ("bank.nl:10 euro", "bank.nl:10", "bank.nl"),
        ("bank.nl:abc", "bank.nl", "bank.nl"),
        ("https://a.nl:443/x?y=1#z", "https://a.nl:443/x?y=1#z", "a.nl"),
        ("http://localhost:80/x", "http://localhost:80/x", "localhost"),
        ("my-bank_.nl", "my-bank_.nl", "my-bank_.nl"),
        ("-bank.nl-", "bank.nl", "bank.nl"),
        ("link:bank.nl/a", "bank.nl/a", "bank.nl"),
        ("bank.nl?a=1", "bank.nl?a=1", "bank.nl"),
        ("bank.nl?", "bank.nl", "bank.nl"),
        ("bank.nl/?", "bank.nl/", "bank.nl"),
        ("intent://bank.nl/x", "intent://bank.nl/x", "bank.nl"),
    ] {
        one(text, written, host);
    }
    assert_eq!(found("a.nl b.com/x c.co.uk").len(), 3);
    assert_eq!(found("https://a.nl/x,https://b.nl/y").len(), 1);
}

#[test]
fn punctuation_around() {
    for (text, path) in [
        ("a.nl/x.", "/x"),
        ("a.nl/x!?", "/x"),
        ("(a.nl/x).", "/x"),
        ("a.nl/x_(y)", "/x_(y)"),
        ("(a.nl/x_(y))", "/x_(y)"),
        ("[a.nl/x]", "/x"),
        ("<a.nl/x>", "/x"),
        ("\"a.nl/x\" y", "/x"),
        ("«a.nl/x»", "/x"),
        ("“a.nl/x”", "/x"),
        ("a.nl/x\u{a0}y", "/x"),
        ("a.nl/é/日。", "/é/日"),
        ("a.nl//", "//"),
        ("a.nl\\x", "\\x"),
    ] {
        let mut links = Links::default();
        let paths: Vec<_> = links.find(text).iter().map(|link| link.path.to_owned()).collect();
        assert_eq!(paths, [path], "{text:?}");
    }
}

#[test]
fn glued_to_words() {
    one("klikhttps://a.nl/x", "https://a.nl/x", "a.nl");
    one("Ends here.https://a.nl/x", "https://a.nl/x", "a.nl");
    one("zie www.bank.nl.Bel ons", "www.bank.nl", "www.bank.nl");
    one("zie https://www.bank.nl.Bel ons", "https://www.bank.nl", "www.bank.nl");
    one("zie bank.nl.Bel ons", "bank.nl", "bank.nl");
    one("https://bank.nl.evil/x", "https://bank.nl.evil/x", "bank.nl.evil");
    one("x,bank.nl", "bank.nl", "bank.nl");
}

#[test]
fn disguises() {
    for (text, written, host) in [
        ("hxxps://a.nl/x", "hxxps://a.nl/x", "a.nl"),
        ("hxxp://a[.]nl", "hxxp://a[.]nl", "a.nl"),
        ("go example[.]com/x", "example[.]com/x", "example.com"),
        ("example(dot)com", "example(dot)com", "example.com"),
        ("example [DOT] com", "example [DOT] com", "example.com"),
        ("bank(punt)nl", "bank(punt)nl", "bank.nl"),
        ("www{.}bank{.}nl", "www{.}bank{.}nl", "www.bank.nl"),
        ("bank。nl", "bank。nl", "bank.nl"),
        ("bank．nl", "bank．nl", "bank.nl"),
        ("bank｡nl", "bank｡nl", "bank.nl"),
        ("ｂａｎｋ.nl", "ｂａｎｋ.nl", "bank.nl"),
    ] {
        one(text, written, host);
        assert!(Links::default().find(text).iter().all(|link| link.disguised || text.starts_with('ｂ')), "{text:?}");
    }
    one("https://b%61nk%2enl/x", "https://b%61nk%2enl/x", "bank.nl");
    for prose in ["we (dots) nl", "a (de facto) b", "x (p.4)", "good [d] nl"] {
        assert_eq!(found(prose), [], "{prose:?}");
    }
}

#[test]
fn other_scripts() {
    for (text, host) in [
        ("пример.рф", "пример.рф"),
        ("https://xn--bcher-kva.de", "bücher.de"),
        ("xn--e1afmkfd.xn--p1ai/x", "пример.рф"),
        ("www.XN--BCHER-KVA.de", "www.bücher.de"),
        ("https://xn--999999999.de", "xn--999999999.de"),
        ("PÂQUIS.fr", "pâquis.fr"),
        ("ทดสอบ.com", "ทดสอบ.com"),
    ] {
        let found = found(text);
        assert_eq!(found.first().map(|(_, host)| host.as_str()), Some(host), "{text:?}");
    }
}

#[test]
fn addresses_for_names() {
    for (text, host) in [
        ("http://203.0.113.47/refund", "203.0.113.47"),
        ("http://3405803823", "203.0.113.47"),
        ("http://0xCB00712F/x", "203.0.113.47"),
        ("http://0313.0.0161.057", "203.0.113.47"),
        ("http://0xcb.0.0x712f", "203.0.113.47"),
        ("203.0.113.47/refund", "203.0.113.47"),
        ("203.0.113.47:8080/x", "203.0.113.47"),
        ("http://user@203.0.113.47", "203.0.113.47"),
        ("http://[2001:db8::1]:80/x", "2001:db8::1"),
        ("http://[::ffff:203.0.113.47]", "::ffff:203.0.113.47"),
    ] {
        assert_eq!(found(text).first().map(|(_, host)| host.as_str()), Some(host), "{text:?}");
    }
    for text in ["10.0.4.17", "1.2.3.4/24", "192.168.1.1 in a browser", "v1.2.3.4", "1.2.3/4", "256.1.1.1/x"] {
        assert_eq!(found(text), [], "{text:?}");
    }
    assert_eq!(host::ipv4("1.2.3.4.5"), None);
    assert_eq!(host::ipv4("4294967296"), None);
    assert_eq!(host::ipv4("1..2"), None);
    assert_eq!(host::ipv4("0x"), Some(Ipv4Addr::UNSPECIFIED));
}

#[test]
fn the_part_that_leads_nowhere() {
    let text = "https://bank.nl:x@evil.com/bank.nl";
    let mut links = Links::default();
    let found: Vec<_> = links.find(text).iter().collect();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].user, found[0].path), (Some("bank.nl:x"), "/bank.nl"));
    assert_eq!(found[0].host.name().map(Name::as_str), Some("evil.com"));
    one("https://a@b@evil.com", "https://a@b@evil.com", "evil.com");
}

#[test]
fn mail_is_no_link() {
    for (text, domain) in [
        ("write jan@bank.nl now", "bank.nl"),
        ("jan.de.vries@mail.bank.co.uk", "mail.bank.co.uk"),
        ("jan.nl+x@bank.nl", "bank.nl"),
        ("bank.nl@evil.com", "evil.com"),
        ("mailto:jan@bank.nl?subject=x", "bank.nl"),
    ] {
        let mut links = Links::default();
        let found = links.find(text);
        assert_eq!(found.iter().count(), 0, "{text:?}");
        let domains: Vec<_> = found.mail().filter_map(|link| Some(link.host.name()?.as_str())).collect();
        assert_eq!(domains, [domain], "{text:?}");
    }
}

#[test]
fn prose_has_no_links() {
    for prose in [
        "e.g. this",
        "i.e.in short",
        "Mr.Smith and Dr.No",
        "end.Next sentence",
        "call me.to confirm",
        "help.me please",
        "It is done.is it",
        "Klaar.De volgende keer",
        "tot straks.in de stad",
        "je suis là.la prochaine",
        "das war es.so ist das",
        "10.30",
        "om 10.30.in de zaal",
        "v1.2.3",
        "3.5kg",
        "1.204,17 EUR",
        "a.u.b. en o.a. en d.w.z.",
        "U.S. and U.K.",
        "12.05.2026",
        "..",
        "file.zip and readme.md here",
        "clip.mov",
        "St.Niklaas",
        "wait...what",
        "no.1",
        "a.b.c.d",
        "Kestrel Bank.in case you",
        "co.uk",
        "www.",
        "www.bank",
        "://",
        "http://",
        "https:// a",
        "foo://qqq",
        "and/or",
        "24.at",
        "t.a.v. dhr. J.de Vries",
        "Ja!Nee.Misschien",
        "x@y",
        "@",
    ] {
        assert_eq!(found(prose), [], "{prose:?}");
    }
}

#[test]
fn domains_that_are_words_where_they_look_like_hosts() {
    for text in [
        "belvaro.be/annuleren",
        "op belvaro.be inloggen",
        "klik: belvaro.be nu",
        "ga naar belvaro.be",
        "kijk op belvaro.be.",
        "mijn.belvaro.be voor meer",
        "belvaro-login.be voor meer",
        "be1varo.de mit",
        "https://done.is it",
        "www.help.me please",
        "goo.su/abc",
        "t.me/abc",
        "belvaro[.]be nu",
    ] {
        assert_eq!(found(text).len(), 1, "{text:?}");
    }
}

#[test]
fn parts_of_a_name() {
    for (name, subdomain, label, registered, suffix) in [
        ("a.b.bank.co.uk", "a.b", "bank", "bank.co.uk", "co.uk"),
        ("bank.nl", "", "bank", "bank.nl", "nl"),
        ("co.uk", "", "", "co.uk", "co.uk"),
        ("shop.github.io", "", "shop", "shop.github.io", "github.io"),
        ("github.io", "", "github", "github.io", "io"),
        ("localhost", "", "", "localhost", "localhost"),
    ] {
        let name = Name::new(name).unwrap();
        assert_eq!(
            (name.subdomain(), name.label(), name.registered(), name.suffix()),
            (subdomain, label, registered, suffix)
        );
    }
    for wrong in ["", ".", "a..b", "a b", "A.nl", "https://a.nl", "a.nl/"] {
        assert_eq!(Name::new(wrong), None, "{wrong:?}");
    }
}

#[test]
fn hostile_texts_take_time_in_proportion() {
    for piece in [
        "a.nl ",
        "a.zz/",
        "x://a/",
        "https://",
        "a.",
        "a.be ",
        "1.2.3.4/",
        "a@",
        "a.b@",
        "xn--a.",
        "a[.]",
        "http://a.nl/)",
        ")",
        "a.nl/(",
        "日。",
        "https://%",
        "..a",
        ":///",
        "a.zz?b",
        "a.be,",
        "[.]",
        "a(dot)",
        "http://[",
    ] {
        let text = piece.repeat((1 << 18) / piece.len());
        let started = std::time::Instant::now();
        Links::default().find(&text);
        assert!(started.elapsed().as_secs() < 20, "{piece:?} took {:?}", started.elapsed());
    }
}

proptest! {
    #[test]
    fn spans_are_boundaries_in_order(text in "\\PC{0,60}|[a-cé日.。:/@\\[\\]()% -]{0,60}|((https?://|www\\.|xn--|[.@/:?]|\\(dot\\)|[a-zé]{1,4}|nl|be|com| ){0,16})") {
        let mut links = Links::default();
        let found = links.find(&text);
        let mut before = 0;
        for link in found.all(|_| true) {
            prop_assert!(link.span.start >= before && link.span.end > link.span.start);
            prop_assert!(text.get(link.span.clone()).is_some_and(|written| written.ends_with(link.path)));
            if let Host::Name(name) = link.host {
                prop_assert!(!name.as_str().is_empty() && name.as_str().ends_with(name.suffix()));
                prop_assert!(!name.as_str().contains(char::is_whitespace));
            }
            before = link.span.end;
        }
    }

    #[test]
    fn buffers_leave_nothing_behind(first in "[a-c.:/@ -]{0,40}|https?://[a-c.]{1,9}/x", second in "[a-c.:/@ -]{0,40}|[a-c]{1,5}\\.nl") {
        let mut links = Links::default();
        links.find(&first);
        let again: Vec<_> = links.find(&second).iter().map(|link| format!("{link:?}")).collect();
        let fresh: Vec<_> = Links::default().find(&second).iter().map(|link| format!("{link:?}")).collect();
        prop_assert_eq!(again, fresh);
    }
}
