use super::*;
use crate::platform::Platform;
use proptest::prelude::*;

fn links(text: &str) -> Vec<&str> {
    let link = |piece| if let Piece::Link(link) = piece { Some(link) } else { None };
    pieces(text).into_iter().filter_map(link).collect()
}

#[test]
fn an_address_needs_no_scheme_where_nothing_else_looks_like_it() {
    for (text, link) in [
        ("www.example.com", "www.example.com"),
        ("see WWW.Example.com.", "WWW.Example.com"),
        ("(www.example.com)", "www.example.com"),
        ("www.naver.com에서 보세요", "www.naver.com"),
        ("링크는www.example.co.kr입니다", "www.example.co.kr"),
        ("사이트:www.example.com/x?y=z#w", "www.example.com/x?y=z#w"),
        ("www.example.com:8080/x", "www.example.com:8080/x"),
        ("www.example.com: here", "www.example.com"),
        ("www.example.com?", "www.example.com"),
        ("example.com/foo", "example.com/foo"),
        ("github.com/rust-lang/rust를", "github.com/rust-lang/rust"),
        ("(en.wikipedia.org/wiki/Rust_(language))", "en.wikipedia.org/wiki/Rust_(language)"),
        ("youtu.be/aB3dE5gH7j_", "youtu.be/aB3dE5gH7j_"),
        ("_example.com/x_", "example.com/x"),
        ("**www.example.com**", "www.example.com"),
        ("example.com/에서", "example.com/"),
        ("docs at example.com/a, please", "example.com/a"),
    ] {
        assert_eq!(links(text), [link], "{text}");
        assert_eq!(href(link), format!("https://{link}"));
    }
    assert_eq!(
        links("www.a.kr http://b.kr example.com/c https://d.kr www.e.kr"),
        ["www.a.kr", "http://b.kr", "example.com/c", "https://d.kr", "www.e.kr"]
    );
    assert_eq!(href("HTTP://EXAMPLE.com"), "HTTP://EXAMPLE.com");
    assert_eq!(href("www.example.com/?to=http://b.kr"), "https://www.example.com/?to=http://b.kr");
    let many = "www.a.kr http://a.kr ".repeat(LINKS_MAX);
    assert_eq!(links(&many).len(), LINKS_MAX);
}

#[test]
fn what_merely_looks_like_an_address_stays_text() {
    for text in [
        "e.g. this/that, i.e. and/or",
        "file.rs main.py/x README.md/x app/src/links.rs",
        "Foo.app/Contents v1.2/3 3.14/2 node.js/express",
        "example.com",
        "example.com, and then",
        "example.com.",
        "example.com./foo",
        "yes.no/maybe",
        "www.example",
        "www.example.",
        "www..com",
        "www.-a.com",
        "www.",
        "awww.example.com",
        "kim@example.com kim@www.example.com kim@example.com/x",
        "www.example.com@evil.example/",
        "src/example.com/foo C:\\example.com/foo",
        "my_site.example.com/foo",
        "éexample.com/foo",
        "javascript://www.example.com/x ftp://example.com/x",
        "localhost/x 127.0.0.1/x",
    ] {
        assert_eq!(links(text), [""; 0], "{text}");
    }
}

#[test]
fn addresses_are_found_wherever_they_stand() {
    assert_eq!(links("see https://example.com/spec#dividers please"), ["https://example.com/spec#dividers"]);
    assert_eq!(links("링크는https://example.com/a?b=c&d 입니다"), ["https://example.com/a?b=c&d"]);
    assert_eq!(links("HTTP://EXAMPLE.com http://[::1]:3000/"), ["HTTP://EXAMPLE.com", "http://[::1]:3000/"]);
    assert_eq!(links("https://ko.wikipedia.org/wiki/서울"), ["https://ko.wikipedia.org/wiki/서울"]);
    assert_eq!(links("http://a.kr,http://b.kr"), ["http://a.kr,http://b.kr"]);
}

#[test]
fn the_sentence_around_an_address_is_left_out() {
    for text in [
        "https://example.com/x.",
        "https://example.com/x?!",
        "(https://example.com/x)",
        "“https://example.com/x”",
        "https://example.com/x에서 보세요",
        "https://example.com/x는요? https",
        "https://example.com/x)를",
        "「https://example.com/x」",
        "https://example.com/x。",
        "https://example.com/x\u{202E}moc",
        "https://example.com/x\u{2066}moc",
        "https://example.com/x\u{3164}moc",
        "\u{202E}https://example.com/x",
    ] {
        let expected = if text.contains("는요") { "https://example.com/x는요" } else { "https://example.com/x" };
        assert_eq!(links(text), [expected], "{text}");
    }
    assert_eq!(links("https://example.com에서"), ["https://example.com"]);
    assert_eq!(links("https://example.com/에서"), ["https://example.com/"]);
    assert_eq!(
        links("https://en.wikipedia.org/wiki/Rust_(language)"),
        ["https://en.wikipedia.org/wiki/Rust_(language)"]
    );
}

#[test]
fn an_address_keeps_a_mark_at_its_end_unless_it_is_emphasised() {
    for (text, link) in [
        ("https://youtu.be/aB3dE5gH7j_", "https://youtu.be/aB3dE5gH7j_"),
        ("https://example.com/@asyoulike_ hello", "https://example.com/@asyoulike_"),
        ("https://youtu.be/aB3dE5gH7j_.", "https://youtu.be/aB3dE5gH7j_"),
        ("(https://youtu.be/aB3dE5gH7j_)", "https://youtu.be/aB3dE5gH7j_"),
        ("https://example.com/x*", "https://example.com/x*"),
        ("https://example.com/~", "https://example.com/~"),
        ("https://example.com/__", "https://example.com/__"),
        ("_https://example.com/x_", "https://example.com/x"),
        ("_https://example.com/x__", "https://example.com/x_"),
        ("**https://example.com/x**", "https://example.com/x"),
        ("*_https://example.com/x_*", "https://example.com/x"),
        ("~~https://example.com/~~~", "https://example.com/~"),
        ("_https://example.com/x_를", "https://example.com/x"),
        ("_https://example.com/x_.", "https://example.com/x"),
        ("_ https://example.com/x_", "https://example.com/x_"),
        ("*https://example.com/x_", "https://example.com/x_"),
        ("_(https://example.com/x_", "https://example.com/x_"),
    ] {
        assert_eq!(links(text), [link], "{text}");
    }
}

#[test]
fn the_search_goes_on_behind_what_is_no_address() {
    assert_eq!(links("http://a@http://b.kr"), ["http://b.kr"]);
    assert_eq!(links("http://@http://@https://b.kr/@x"), ["https://b.kr/@x"]);
    assert_eq!(links("http://[ http://b.kr http://.http://c.kr"), ["http://b.kr", "http://c.kr"]);
    assert_eq!(links("http://a))) http://b.kr"), ["http://a", "http://b.kr"]);
    let many = "http://a.kr ".repeat(LINKS_MAX + 1);
    assert_eq!(links(&many).len(), LINKS_MAX);
}

/// Texts of the longest message that make a careless reader look at much of them again and again.
fn crafted() -> Vec<String> {
    let heads = ["http://a", "http://@", "http://[", "_http://a", "http://a/", "(http://a", "www.a.kr/", "a.com/"];
    let tails = [
        ")",
        "(",
        "()",
        ")(",
        "]",
        "[]",
        "([)]",
        "_",
        "*_~",
        "@",
        "/@",
        ".",
        "?!",
        "://",
        "http://",
        "http://@",
        "http://[",
        "http://a)",
        "a://",
        "/://",
        "가",
        "를)",
        "에서는",
        ")를",
        "_를",
        "\u{301}",
        "\u{202E}",
        "\u{3164}",
        "“",
        "\n",
        "·",
        "😀",
        "https://a.b/c) ",
        "http://a\u{3164}",
        "_http://a_ ",
        "[http://[a]",
        ":",
        "http:",
        "//",
        "h",
        "www.a.kr/",
        "www.a.kr ",
        "www.",
        "a.com/)",
        "a.com/, ",
        "a.com/. ",
        "_www.a.kr",
        "www.a.kr@",
        "-.",
    ];
    let fill = |head: &str, tail: &str| -> String {
        head.chars().chain(tail.chars().cycle()).take(crate::domain::MESSAGE_MAX).collect()
    };
    let mut texts: Vec<String> = heads.iter().flat_map(|head| tails.iter().map(|tail| fill(head, tail))).collect();
    texts.extend(tails.iter().flat_map(|head| tails.iter().map(|tail| fill(&head.repeat(250), tail))));
    texts.extend(["http://@".repeat(250) + &")".repeat(2_000), "_".repeat(2_000) + "http://a" + &"_".repeat(1_992)]);
    texts
}

#[test]
fn no_text_costs_more_than_three_times_a_plain_one() {
    for text in crafted() {
        let plain = "a".repeat(text.len());
        let plain = steps::of(|| pieces(&plain).len());
        let taken = steps::of(|| pieces(&text).len());
        assert!(taken <= 3 * plain, "{taken} of {plain}: {:?}", text.chars().take(40).collect::<String>());
        assert!(pieces(&text).len() <= 2 * LINKS_MAX + 1);
    }
}

#[test]
fn nothing_else_becomes_a_link() {
    for text in [
        "javascript://alert(1)",
        "ftp://example.com",
        "xhttp://example.com",
        "http://",
        "https://.",
        "https://google.com@evil.example/",
        "://",
        "file:///etc/passwd",
    ] {
        assert_eq!(links(text), [""; 0], "{text}");
    }
}

#[test]
fn a_host_is_spelt_in_ascii_where_it_was_not_written_so() {
    for (link, host) in [
        ("https://аррӏе.com/", Some("xn--80ak6aa92e.com")),
        ("http://한국.kr:8080/한국?x#y", Some("xn--3e0b707e.kr")),
        ("www.ａpple.com", Some("www.apple.com")),
        ("https://faß.de", Some("xn--fa-hia.de")),
        ("https://☃.net", Some("xn--n3h.net")),
        ("https://example.com/аррӏе", None),
        ("https://xn--80ak6aa92e.com", None),
        ("https://[::1]:8080/", None),
    ] {
        assert_eq!(ascii_host(&href(link), Platform::SERVER.ascii_host).as_deref(), host, "{link}");
    }
}

proptest! {
    #[test]
    fn the_pieces_are_the_text(words in prop::collection::vec("(https?://|www.|a.com/)?[a-z가-힣./()?@\\PC]{0,6}[ \n]?", 0..8)) {
        let text = words.concat();
        let pieces = pieces(&text);
        prop_assert_eq!(pieces.iter().map(|piece| piece.as_str()).collect::<String>(), text.as_str());
        for piece in &pieces {
            prop_assert!(!piece.as_str().is_empty());
            if let Piece::Link(link) = piece {
                let href = href(link);
                prop_assert!(href.starts_with("http://") || href.starts_with("https://"), "{}", href);
                prop_assert!(!link.contains(char::is_whitespace) && !link.contains(['<', '>', '"']), "{}", link);
            }
        }
    }
}
