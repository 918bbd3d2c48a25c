//! What instances say to Redis, cut into whole requests.

use std::{io, ops::Range};

/// More than any request of an instance: a page of the longest messages is an answer, not a request.
const LONGEST: usize = 16 << 20;

/// One request, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub raw: Vec<u8>,
    parts: Vec<Range<usize>>,
}

impl Request {
    /// The command's name and arguments.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().map(|part| &self.raw[part.clone()])
    }

    pub fn is(&self, command: &str) -> bool {
        self.parts().next().is_some_and(|name| name.eq_ignore_ascii_case(command.as_bytes()))
    }

    /// Whether it runs the script that appends: no other has a producer's record among its keys.
    pub fn is_append(&self) -> bool {
        (self.is("EVALSHA") || self.is("EVAL")) && self.parts().skip(3).take(4).any(|key| contains(key, b":producer:"))
    }
}

pub fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}

/// Takes bytes as they arrive and gives requests back: arrays of bulk strings, or a line for an inline command.
#[derive(Debug, Default)]
pub struct Splitter {
    buffer: Vec<u8>,
}

impl Splitter {
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole request, if it has arrived.
    ///
    /// # Errors
    /// These bytes are no request.
    pub fn request(&mut self) -> io::Result<Option<Request>> {
        let Some((parts, length)) = scan(&self.buffer)? else {
            return if self.buffer.len() > LONGEST { Err(unreadable("too long")) } else { Ok(None) };
        };
        let rest = self.buffer.split_off(length);
        Ok(Some(Request { raw: std::mem::replace(&mut self.buffer, rest), parts }))
    }
}

type Scanned = (Vec<Range<usize>>, usize);

fn scan(buffer: &[u8]) -> io::Result<Option<Scanned>> {
    let Some((first, mut at)) = line(buffer, 0) else { return Ok(None) };
    if buffer[0] != b'*' {
        let words = first.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        let begin = buffer.as_ptr() as usize;
        let parts = words.map(|word| word.as_ptr() as usize - begin..word.as_ptr() as usize - begin + word.len());
        return Ok(Some((parts.collect(), at)));
    }
    let count = number(&first[1..])?;
    let mut parts = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        let Some((header, begin)) = line(buffer, at) else { return Ok(None) };
        if header.first() != Some(&b'$') {
            return Err(unreadable("no bulk string"));
        }
        let end = begin + number(&header[1..])?;
        if buffer.len() < end + 2 {
            return Ok(None);
        }
        parts.push(begin..end);
        at = end + 2;
    }
    Ok(Some((parts, at)))
}

/// The line that begins at `from`, without its end, and where the next one begins.
fn line(buffer: &[u8], from: usize) -> Option<(&[u8], usize)> {
    let rest = buffer.get(from..)?;
    let length = rest.windows(2).position(|end| end == b"\r\n")?;
    Some((&rest[..length], from + length + 2))
}

fn number(digits: &[u8]) -> io::Result<usize> {
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    number.filter(|&number| number <= LONGEST).ok_or_else(|| unreadable("no length"))
}

fn unreadable(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a request to Redis is unreadable: {why}"))
}

/// A request as bytes.
pub fn encode(parts: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        bytes.extend_from_slice(format!("${}\r\n{part}\r\n", part.len()).as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<Request> {
        let mut splitter = Splitter::default();
        let mut requests = Vec::new();
        for chunk in chunks {
            splitter.push(chunk);
            while let Some(request) = splitter.request().unwrap() {
                requests.push(request);
            }
        }
        assert!(splitter.buffer.is_empty(), "nothing is left over");
        requests
    }

    #[test]
    fn requests_are_the_same_however_their_bytes_arrive() {
        let append =
            encode(&["evalsha", "abc", "4", "h:{r}:meta", "h:{r}:log", "h:{r}:producer:1:2", "c", "line\r\nend"]);
        let bytes = [encode(&["PING"]), append, b"PING now\r\n".to_vec(), encode(&["SET", "", "한"])].concat();
        let whole = split(&[&bytes]);
        assert_eq!(whole.len(), 4);
        assert_eq!(whole.iter().map(Request::is_append).collect::<Vec<_>>(), [false, true, false, false]);
        assert_eq!(whole[1].parts().last().unwrap(), b"line\r\nend");
        assert_eq!(whole[2].parts().collect::<Vec<_>>(), [&b"PING"[..], b"now"]);
        assert_eq!(whole.iter().flat_map(|request| request.raw.clone()).collect::<Vec<_>>(), bytes);
        for size in 1..bytes.len() {
            assert_eq!(split(&bytes.chunks(size).collect::<Vec<_>>()), whole, "in chunks of {size}");
        }
    }

    #[test]
    fn a_producer_in_an_argument_makes_no_append() {
        let read = encode(&["EVALSHA", "abc", "1", "h:{r}:log", "1", "2", "3", ":producer:"]);
        assert!(!split(&[&read])[0].is_append());
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        for bytes in [&b"*1\r\n+OK\r\n"[..], b"*x\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$99999999999\r\n"] {
            let mut splitter = Splitter::default();
            splitter.push(bytes);
            assert!(splitter.request().is_err());
        }
    }
}
