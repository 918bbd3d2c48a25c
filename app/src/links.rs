//! Web addresses in the text of a message.

/// A piece of a text; the pieces in their order are the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    /// An `http` or `https` address, as it was written.
    Link(&'a str),
}

impl<'a> Piece<'a> {
    pub fn as_str(self) -> &'a str {
        match self {
            Self::Text(text) | Self::Link(text) => text,
        }
    }
}

/// Cuts `text` at its web addresses. No piece is empty.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut done, mut from) = (0, 0);
    while let Some(at) = text[from..].find("://").map(|at| from + at) {
        from = at + 3;
        let Some(start) = scheme_start(&text[..at]).filter(|start| *start >= done) else { continue };
        let Some(length) = address_length(&text[from..]) else { continue };
        if start > done {
            pieces.push(Piece::Text(&text[done..start]));
        }
        from += length;
        pieces.push(Piece::Link(&text[start..from]));
        done = from;
    }
    if done < text.len() {
        pieces.push(Piece::Text(&text[done..]));
    }
    pieces
}

/// Where `http` or `https` begins at the end of `before`, if it is a word of its own.
fn scheme_start(before: &str) -> Option<usize> {
    let start = ["https", "http"].iter().find_map(|scheme| {
        let start = before.len().checked_sub(scheme.len())?;
        before.get(start..)?.eq_ignore_ascii_case(scheme).then_some(start)
    })?;
    let joined = before[..start].chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric());
    (!joined).then_some(start)
}

/// How many bytes of `rest` (what follows `://`) belong to an address.
fn address_length(rest: &str) -> Option<usize> {
    let whole = &rest[..rest.find(ends_address).unwrap_or(rest.len())];
    let address = trim(whole);
    let host = &address[..address.find(['/', '?', '#']).unwrap_or(address.len())];
    // With an `@` the host is not what a reader takes it for.
    let plausible = host.starts_with(|c: char| c.is_alphanumeric() || c == '[') && !host.contains('@');
    plausible.then_some(address.len())
}

fn ends_address(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '<' | '>' | '"' | '`' | '\\' | '^' | '{' | '|' | '}')
        // Quotation marks and the punctuation of East Asia; what cannot be seen or turns the reading direction.
        || matches!(c, '“' | '”' | '‘' | '’' | '…' | '\u{3000}'..='\u{3004}' | '\u{3008}'..='\u{3020}')
        || matches!(c, '！' | '（' | '）' | '，' | '：' | '；' | '？' | '［' | '］' | '｛' | '｝')
        || matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// Takes off punctuation and Korean particles that belong to the sentence around the address.
fn trim(mut address: &str) -> &str {
    loop {
        let shorter = trim_particle(trim_punctuation(address));
        if shorter.len() == address.len() {
            return address;
        }
        address = shorter;
    }
}

fn trim_punctuation(address: &str) -> &str {
    let Some(last) = address.chars().next_back() else { return address };
    let sentence = matches!(last, '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '_' | '~' | '·');
    let opened_before = |open: char, close: char| address.matches(close).count() > address.matches(open).count();
    let bracket = match last {
        ')' => opened_before('(', ')'),
        ']' => opened_before('[', ']'),
        '(' | '[' => true,
        _ => false,
    };
    if sentence || bracket { &address[..address.len() - last.len_utf8()] } else { address }
}

/// Korean particles and endings that people write right after an address.
const PARTICLES: &[&str] = &[
    "가",
    "같은",
    "고",
    "과",
    "까지",
    "께",
    "나",
    "는",
    "도",
    "라고",
    "랑",
    "로",
    "로는",
    "를",
    "만",
    "말고",
    "밖에",
    "보다",
    "부터",
    "뿐",
    "서",
    "에",
    "에는",
    "에도",
    "에서",
    "에서는",
    "에서도",
    "에서만",
    "예요",
    "와",
    "요",
    "으로",
    "은",
    "을",
    "의",
    "이",
    "이고",
    "이나",
    "이라고",
    "이랑",
    "이에요",
    "인가요",
    "인데",
    "인데요",
    "입니다",
    "처럼",
    "하고",
];

fn trim_particle(address: &str) -> &str {
    let stem = address.trim_end_matches(|c: char| ('가'..='힣').contains(&c));
    let tail = &address[stem.len()..];
    // After `/`, `=` or another letter of the address a syllable may well be its own: …/wiki/이.
    let root = stem.ends_with('/') && stem.matches('/').count() == 1;
    let whole = root || stem.ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, ')' | ']'));
    if whole && PARTICLES.contains(&tail) { stem } else { address }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn links(text: &str) -> Vec<&str> {
        let link = |piece| if let Piece::Link(link) = piece { Some(link) } else { None };
        pieces(text).into_iter().filter_map(link).collect()
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
        ] {
            let expected =
                if text.contains("는요") { "https://example.com/x는요" } else { "https://example.com/x" };
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

    proptest! {
        #[test]
        fn the_pieces_are_the_text(words in prop::collection::vec("(https?://)?[a-z가-힣./()?@\\PC]{0,6}[ \n]?", 0..8)) {
            let text = words.concat();
            let pieces = pieces(&text);
            prop_assert_eq!(pieces.iter().map(|piece| piece.as_str()).collect::<String>(), text.as_str());
            for piece in &pieces {
                prop_assert!(!piece.as_str().is_empty());
                if let Piece::Link(link) = piece {
                    prop_assert!(link.starts_with("http://") || link.starts_with("https://"), "{}", link);
                    prop_assert!(!link.contains(char::is_whitespace) && !link.contains(['<', '>', '"']), "{}", link);
                }
            }
        }
    }
}
