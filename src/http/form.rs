//! The fields of a form, read to the letter: bytes that are no UTF-8 are not replaced by others, since a name or a message
//! would then be one that nobody typed.

use super::cookies;
use axum::{
    body::BodyDataStream,
    extract::{FromRequest, Request},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::timeout;

/// Largest form with a message: one of the longest, each of its characters percent-encoded in twelve bytes, and some.
pub const MESSAGE_FORM_MAX: usize = 64 * 1024;
/// Largest form without: a name and a room of the longest, and an address in it, encoded twice over.
pub const SMALL_FORM_MAX: usize = 4 * 1024;
/// What is read and thrown away of a form that is too large, so that its browser gets to read the answer.
const DRAIN_MAX: usize = 1024 * 1024;
/// For how long that goes on for somebody who has no session.
const STRANGER_DRAIN: Duration = Duration::from_secs(1);

/// A field's text, or what it looks like if it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    name: String,
    text: String,
    is_text: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<Field>);

/// A value that was no UTF-8, or no percent-encoding; with what is readable of it, to be shown again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbled(pub String);

impl Fields {
    /// Of a query or a body, `a=1&b=2`.
    pub fn parse(encoded: &[u8]) -> Self {
        let pairs = encoded.split(|&b| b == b'&').filter(|pair| !pair.is_empty());
        let field = |pair: &[u8]| {
            let mut halves = pair.splitn(2, |&b| b == b'=').map(decode);
            let (name, _) = halves.next().unwrap_or_default();
            let (text, is_text) = halves.next().unwrap_or((String::new(), true));
            Field { name, text, is_text }
        };
        Self(pairs.map(field).collect())
    }

    /// The first field of that name; one that is missing is empty.
    pub fn text(&self, name: &str) -> Result<String, Garbled> {
        match self.0.iter().find(|field| field.name == name) {
            Some(field) if field.is_text => Ok(field.text.clone()),
            Some(field) => Err(Garbled(field.text.clone())),
            None => Ok(String::new()),
        }
    }

    /// The first field of that name, if it is there, not empty, and a text.
    pub fn some(&self, name: &str) -> Option<String> {
        self.text(name).ok().filter(|text| !text.is_empty())
    }

    /// What was typed, as far as it can be shown.
    fn shown(&self) -> Shown {
        self.0.iter().map(|field| (field.name.clone(), field.text.clone())).collect()
    }
}

/// The text, and whether it is what the bytes say.
fn decode(encoded: &[u8]) -> (String, bool) {
    let (mut bytes, mut whole) = (Vec::with_capacity(encoded.len()), true);
    let digit =
        |at: usize| encoded.get(at).and_then(|&b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let mut at = 0;
    while let Some(&byte) = encoded.get(at) {
        at += 1;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                if let (Some(high), Some(low)) = (digit(at), digit(at + 1)) {
                    bytes.push(high << 4 | low);
                    at += 2;
                } else {
                    whole = false;
                    bytes.push(b'%');
                }
            }
            _ => bytes.push(byte),
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) => (text, whole),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), false),
    }
}

/// What was read of a form so far, beside the request: whoever answers in place of a handler that was given up, or that never
/// got the whole form, shows it again.
#[derive(Debug, Clone, Default)]
pub struct Typed(Arc<Mutex<Vec<u8>>>);

/// Names and texts of fields.
type Shown = Vec<(String, String)>;

impl Typed {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` if nothing was.
    pub fn shown(&self) -> Option<Shown> {
        let fields = Fields::parse(without_halves(&self.bytes())).shown();
        (!fields.is_empty()).then_some(fields)
    }
}

/// The form that a request posts, of at most `MAX` bytes; of a small form's if it carries no session, whose message nobody takes.
pub struct Posted<const MAX: usize>(pub Fields);

impl<const MAX: usize, S: Sync> FromRequest<S> for Posted<MAX> {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected a form\n").into_response());
        }
        let typed = request.extensions().get::<Typed>().cloned().unwrap_or_default();
        let is_known = cookies::may_hold_session(request.headers());
        let max = if is_known { MAX } else { MAX.min(SMALL_FORM_MAX) };
        let mut body = request.into_body().into_data_stream();
        match read(&mut body, max, &typed).await {
            Read::Whole => Ok(Self(Fields::parse(&typed.bytes()))),
            Read::Beginning => {
                let patience = if is_known { Duration::MAX } else { STRANGER_DRAIN };
                let _ = timeout(patience, drain(body)).await;
                Err((StatusCode::PAYLOAD_TOO_LARGE, format!("a form has at most {max} bytes here\n")).into_response())
            }
            Read::Broken => Err((StatusCode::BAD_REQUEST, "the body broke off\n").into_response()),
        }
    }
}

enum Read {
    Whole,
    /// There was more.
    Beginning,
    Broken,
}

async fn read(body: &mut BodyDataStream, max: usize, typed: &Typed) -> Read {
    while let Some(chunk) = body.next().await {
        let Ok(chunk) = chunk else { return Read::Broken };
        let mut kept = typed.bytes();
        let fits = chunk.len().min(max - kept.len());
        kept.extend_from_slice(&chunk[..fits]);
        if fits < chunk.len() {
            return Read::Beginning;
        }
    }
    Read::Whole
}

/// Reads the rest, unseen.
async fn drain(mut body: BodyDataStream) {
    let mut dropped = 0;
    while let Some(Ok(chunk)) = body.next().await {
        dropped += chunk.len();
        if dropped > DRAIN_MAX {
            break;
        }
    }
}

/// Without a percent-encoded character at the end of which only the beginning was read.
fn without_halves(body: &[u8]) -> &[u8] {
    let encoded = body.iter().rev().take(2).position(|&b| b == b'%');
    let mut end = encoded.map_or(body.len(), |from_end| body.len() - 1 - from_end);
    // Up to three bytes of a character may be there.
    for _ in 0..3 {
        if decode(&body[..end]).0.ends_with(char::REPLACEMENT_CHARACTER) {
            end = if end >= 3 && body[end - 3] == b'%' { end - 3 } else { end.saturating_sub(1) };
        }
    }
    &body[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_told_from_what_is() {
        for (encoded, text) in [
            ("a=", Ok("")),
            ("a", Ok("")),
            ("b=1", Ok("")),
            ("a=1+2%2B3%20", Ok("1 2+3 ")),
            ("a=%EC%A7%80%ec%9a%b0", Ok("지우")),
            ("a=지우", Ok("지우")),
            ("a=1=2", Ok("1=2")),
            ("%61=x", Ok("x")),
            ("&&a=x&", Ok("x")),
            ("a=first&a=second", Ok("first")),
            ("a=%EF%BF%BD", Ok("\u{FFFD}")),
            ("a=%ff", Err("\u{FFFD}")),
            ("a=x%zz", Err("x%zz")),
            ("a=%", Err("%")),
            ("a=%4", Err("%4")),
            ("a=%+1", Err("% 1")),
            ("a=%C3%28", Err("\u{FFFD}(")),
            ("a=%ED%A0%80", Err("\u{FFFD}\u{FFFD}\u{FFFD}")),
            ("a=%C0%AF", Err("\u{FFFD}\u{FFFD}")),
        ] {
            let is = Fields::parse(encoded.as_bytes()).text("a");
            assert_eq!(is, text.map(str::to_owned).map_err(|text| Garbled(text.to_owned())), "{encoded}");
        }
        assert_eq!(Fields::parse(b"a=\xff").text("a"), Err(Garbled("\u{FFFD}".to_owned())));
        assert_eq!(Fields::parse(b"a=%ff&b=").some("a").or(Fields::parse(b"b=").some("b")), None);
    }

    #[test]
    fn the_beginning_of_a_form_ends_with_a_whole_character() {
        let whole = "text=%EC%A7%80%EC%9A%B0";
        for end in 0..=whole.len() {
            let beginning = without_halves(&whole.as_bytes()[..end]);
            let text = Fields::parse(beginning).text("text").unwrap();
            assert!("지우".starts_with(&text), "{end}: {text}");
        }
        assert_eq!(without_halves("a=지".as_bytes()), "a=지".as_bytes());
        assert_eq!(without_halves(&"a=지".as_bytes()[..4]), b"a=");
    }
}
