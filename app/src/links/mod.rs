//! Web addresses in the text of a message.
//!
//! | module | what it is for |
//! |---|---|
//! | `address` | how far an address reaches, and what around it belongs to the sentence |
//! | `bare` | addresses that are written without `https://` |
//! | `particles` | what Korean writes right after a word |

mod address;
mod bare;
mod particles;
#[cfg(test)]
mod tests;

use crate::steps;
use address::{Brackets, Candidate};

/// A piece of a text; the pieces in their order are the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    /// An address, as it was written: it begins with `http://` or `https://`, or [leads](href) there without saying so.
    Link(&'a str),
}

impl<'a> Piece<'a> {
    pub fn as_str(self) -> &'a str {
        match self {
            Self::Text(text) | Self::Link(text) => text,
        }
    }
}

/// Where a [`Piece::Link`] leads.
pub fn href(link: &str) -> String {
    let is_whole = scheme_start(link.split_once("://").map_or("", |(before, _)| before)) == Some(0);
    [if is_whole { "" } else { "https://" }, link].concat()
}

/// The host that an [address](href) leads to, spelt in ASCII, where it was written in other letters: of those some look like others.
/// `parsed` says what the host of an address is.
pub fn ascii_host(href: &str, parsed: fn(&str) -> Option<String>) -> Option<String> {
    let host = href.split("://").nth(1)?.split(['/', '?', '#']).next()?;
    if host.is_ascii() { None } else { parsed(href).filter(|host| !host.is_empty()) }
}

/// Addresses of one text that become links; what comes after them stays text. With more, a page of short addresses would weigh
/// several times what other pages do.
pub const LINKS_MAX: usize = 64;

/// Cuts `text` at its web addresses. No piece is empty. However it is made, the work grows with its length alone.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut cut = Cut { pieces: Vec::new(), links: 0 };
    let (mut done, mut from) = (0, 0);
    while cut.links < LINKS_MAX
        && let Some(at) = separator(text, from)
    {
        from = at + 3;
        let Some(start) = scheme_start(&text[..at]).filter(|start| *start >= done) else { continue };
        let rest = &text[from..];
        let found = Candidate::read(rest);
        // What was looked at holds no other `://` that could begin an address: it is part of this one's path, and a slash is
        // never trimmed.
        from += found.length;
        let length = if found.is_plausible { found.trim(rest, Brackets::before(&text[done..start])) } else { 0 };
        if length == 0 {
            continue;
        }
        done += bare::find(&text[done..start], &mut cut);
        if cut.links < LINKS_MAX {
            cut.text(&text[done..start]);
            done = at + 3 + length;
            cut.link(&text[start..done]);
        }
    }
    done += bare::find(&text[done..], &mut cut);
    cut.text(&text[done..]);
    cut.pieces
}

/// What was cut off so far.
struct Cut<'a> {
    pieces: Vec<Piece<'a>>,
    links: usize,
}

impl<'a> Cut<'a> {
    fn text(&mut self, text: &'a str) {
        if !text.is_empty() {
            self.pieces.push(Piece::Text(text));
        }
    }

    fn link(&mut self, link: &'a str) {
        self.links += 1;
        self.pieces.push(Piece::Link(link));
    }
}

fn separator(text: &str, from: usize) -> Option<usize> {
    let at = text[from..].find("://");
    steps::take(at.map_or(text.len() - from, |at| at + 3));
    at.map(|at| from + at)
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
