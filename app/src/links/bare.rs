//! Addresses that are written without `https://`. What merely looks like one stays text: `e.g.`, `file.rs`, `and/or`.

use super::{
    Cut, LINKS_MAX,
    address::{Brackets, Candidate},
};
use crate::steps;

/// Ends of hosts that nobody takes for the end of a file's name. A path has to follow them.
const ENDS: &str = " ai be biz ca cc ch cloud cn co com de dev edu es eu fr gg gl gov info io jp kr ly me net nl org se tv tw uk \
    xyz ";

/// Cuts `text`, which has no address with `://`, at those without, and says where the last one ends.
pub fn find<'a>(text: &'a str, cut: &mut Cut<'a>) -> usize {
    let (mut done, mut from) = (0, 0);
    while cut.links < LINKS_MAX
        && let Some(start) = text[from..].find(is_of_host).map(|at| from + at)
    {
        let host = run(&text[start..]);
        steps::take(start + host.len() - from);
        from = start + host.len();
        let length = length(&text[done..start], host, &text[start..]);
        if length > 0 {
            cut.text(&text[done..start]);
            done = start + length;
            from = done;
            cut.link(&text[start..done]);
        }
    }
    done
}

fn is_of_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-')
}

/// What `text` begins with and may be a host.
fn run(text: &str) -> &str {
    &text[..text.find(|c| !is_of_host(c)).unwrap_or(text.len())]
}

/// How much of `rest`, which begins with `host`, is an address; 0 if it is none.
fn length(before: &str, host: &str, rest: &str) -> usize {
    let (joined, next) = (is_joined(before), &rest[host.len()..]);
    if joined || next.starts_with('@') {
        return 0;
    }
    let bare = host.trim_end_matches(['.', '-']);
    // What goes on behind a full stop does not go on with the host.
    let goes_on = bare.len() == host.len()
        && (next.starts_with(['/', '?', '#'])
            || next.strip_prefix(':').is_some_and(|port| port.starts_with(|c: char| c.is_ascii_digit())));
    let www = bare.get(..4).is_some_and(|www| www.eq_ignore_ascii_case("www."));
    let is_address = if www { is_host(&bare[4..]) } else { goes_on && next.starts_with('/') && is_known(bare) };
    if !(is_address && is_host(bare)) {
        return 0;
    }
    if !goes_on {
        return bare.len();
    }
    Candidate::read(rest).trim(rest, Brackets::before(before)).max(bare.len())
}

/// Whether what stands before a host goes on in it. Korean is written without a space, and emphasis without one.
fn is_joined(before: &str) -> bool {
    let mark = |c: char| {
        let is_mark = matches!(c, '*' | '_' | '~');
        steps::take(usize::from(is_mark));
        is_mark
    };
    before.trim_end_matches(mark).chars().next_back().is_some_and(|c| {
        let is_korean = ('가'..='힣').contains(&c);
        (c.is_alphanumeric() && !is_korean) || matches!(c, '@' | '/' | '\\' | '%' | '&' | '=' | '?' | '#' | '+' | '$')
    })
}

/// Names with a full stop between them, the last one of letters.
fn is_host(host: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && !name.starts_with('-') && !name.ends_with('-');
    let last = host.rsplit('.').next().unwrap_or_default();
    host.contains('.')
        && host.split('.').all(is_name)
        && last.len() > 1
        && last.bytes().all(|b| b.is_ascii_alphabetic())
}

fn is_known(host: &str) -> bool {
    let end = host.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    ENDS.contains(&[" ", &end, " "].concat())
}
