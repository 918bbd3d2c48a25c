//! The headers of a client's frames, against the rules of RFC 6455 and this server's limits.
//!
//! The library behind them reads a frame whole before it looks at it, keeps half a message for as long as its client
//! likes, and does not say which rule was broken. Here each rule is checked as soon as the bytes that break it are there.

use app::protocol::{CloseCode, FRAME_MAX};
use std::{error::Error, fmt};

/// Frames of one message. Each may be empty, so that its size alone is no limit.
const FRAGMENTS_MAX: usize = 1_024;
/// Two bytes, a length of up to eight, and the mask.
const HEADER_MAX: usize = 14;
/// Largest payload of a control frame (RFC 6455, section 5.5).
const CONTROL_MAX: u64 = 125;

/// What a client did that ends its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A rule of RFC 6455 was broken; which one.
    Protocol(&'static str),
    TooLarge,
    TooManyFragments,
    TooSlow,
}

impl Fault {
    pub fn code(self) -> CloseCode {
        match self {
            Self::Protocol(_) => CloseCode::Protocol,
            Self::TooLarge | Self::TooManyFragments => CloseCode::TooBig,
            Self::TooSlow => CloseCode::Policy,
        }
    }

    /// At most 123 bytes, as many as fit into a close frame.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Protocol(rule) => rule,
            Self::TooLarge => "frame larger than 64 KiB",
            Self::TooManyFragments => "message of more than 1,024 frames",
            Self::TooSlow => "message took longer than 10 s",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl Error for Fault {}

/// What came of the frames so far.
#[derive(Debug, Default)]
pub struct Scan {
    header: [u8; HEADER_MAX],
    /// Bytes of the header that came.
    have: usize,
    /// Bytes of the frame's payload that are still to come.
    left: u64,
    /// The frame whose payload is coming is the last one of a message.
    is_last: bool,
    /// A message that is not whole: its bytes, those still to come of its latest frame among them, and its frames.
    message: Option<(u64, usize)>,
    wholes: usize,
}

impl Scan {
    /// Looks at what was read and says how many of these bytes come before the frame that breaks a rule.
    pub fn take(&mut self, bytes: &[u8]) -> (usize, Result<(), Fault>) {
        let (mut at, mut frame_at) = (0, 0);
        while at < bytes.len() {
            if self.left > 0 {
                let rest = bytes.len() - at;
                let skipped = usize::try_from(self.left).map_or(rest, |left| left.min(rest));
                at += skipped;
                self.left -= skipped as u64;
                if self.left == 0 {
                    self.frame_ended();
                }
                continue;
            }
            if self.have == 0 {
                frame_at = at;
            }
            self.header[self.have] = bytes[at];
            (at, self.have) = (at + 1, self.have + 1);
            if let Err(fault) = self.look_at_header() {
                return (frame_at, Err(fault));
            }
        }
        (at, Ok(()))
    }

    /// Whether something began to come that is not whole yet.
    pub fn is_half(&self) -> bool {
        self.have > 0 || self.left > 0 || self.message.is_some()
    }

    /// How many messages, and control frames between messages, came whole.
    pub fn wholes(&self) -> usize {
        self.wholes
    }

    fn look_at_header(&mut self) -> Result<(), Fault> {
        if self.have < 2 {
            return Ok(());
        }
        let [first, second, ..] = self.header;
        if self.have == 2 {
            self.check_start(first, second)?;
        }
        let (of_length, length) = match second & 0x7f {
            126 => (2, u64::from(u16::from_be_bytes([self.header[2], self.header[3]]))),
            127 => (8, self.header[2..10].iter().fold(0, |length, byte| length << 8 | u64::from(*byte))),
            short => (0, u64::from(short)),
        };
        if self.have == 2 + of_length {
            self.check_length(first, of_length, length)?;
        }
        if self.have == 2 + of_length + 4 {
            self.have = 0;
            self.left = length;
            self.is_last = first & 0x80 != 0 && !is_control(first);
            if length == 0 {
                self.frame_ended();
            }
        }
        Ok(())
    }

    fn check_start(&self, first: u8, second: u8) -> Result<(), Fault> {
        let broken = |rule| Err(Fault::Protocol(rule));
        if first & 0x70 != 0 {
            return broken("reserved bits of a frame are set");
        }
        match (first & 0x0f, self.message.is_some()) {
            (0, false) => return broken("there is no message to continue"),
            (1 | 2, true) => return broken("the message before is not finished"),
            (0..=2 | 8..=10, _) => {}
            _ => return broken("a frame has an unknown opcode"),
        }
        if is_control(first) && first & 0x80 == 0 {
            return broken("a control frame is fragmented");
        }
        if is_control(first) && u64::from(second & 0x7f) > CONTROL_MAX {
            return broken("a control frame is larger than 125 bytes");
        }
        if second & 0x80 == 0 {
            return broken("a frame is not masked");
        }
        if first & 0x0f == 8 && second & 0x7f == 1 {
            return broken("a close code has two bytes");
        }
        Ok(())
    }

    fn check_length(&mut self, first: u8, of_length: usize, length: u64) -> Result<(), Fault> {
        if (of_length == 2 && length < 126) || (of_length == 8 && u16::try_from(length).is_ok()) {
            return Err(Fault::Protocol("a length takes more bytes than it needs"));
        }
        if of_length == 8 && length >> 63 != 0 {
            return Err(Fault::Protocol("the first bit of a length is set"));
        }
        if is_control(first) {
            return Ok(());
        }
        let (bytes, frames) = self.message.unwrap_or_default();
        let (bytes, frames) = (bytes.saturating_add(length), frames + 1);
        self.message = Some((bytes, frames));
        if bytes > FRAME_MAX as u64 {
            return Err(Fault::TooLarge);
        }
        if frames > FRAGMENTS_MAX { Err(Fault::TooManyFragments) } else { Ok(()) }
    }

    fn frame_ended(&mut self) {
        if std::mem::take(&mut self.is_last) {
            self.message = None;
        }
        if self.message.is_none() {
            self.wholes = self.wholes.wrapping_add(1);
        }
    }
}

fn is_control(first: u8) -> bool {
    first & 0x08 != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A masked frame, its mask zero.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let length = payload.len();
        let mut frame = vec![first];
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ 0..126), _) => frame.push(0x80 | short),
            (_, Ok(medium)) => frame.extend([&[0xfe][..], &medium.to_be_bytes()].concat()),
            _ => frame.extend([&[0xff][..], &(length as u64).to_be_bytes()].concat()),
        }
        [&frame[..], &[0; 4], payload].concat()
    }

    fn fault(bytes: &[u8]) -> Option<Fault> {
        Scan::default().take(bytes).1.err()
    }

    fn breaks_a_rule(bytes: &[u8]) -> bool {
        matches!(fault(bytes), Some(Fault::Protocol(_)))
    }

    #[test]
    fn whole_messages_pass_in_any_number_of_frames() {
        let largest = vec![b'x'; FRAME_MAX];
        for (bytes, wholes) in [
            (frame(0x81, b"one"), 1),
            (frame(0x81, &largest), 1),
            (frame(0x82, b""), 1),
            ([frame(0x89, &[0; 125]), frame(0x8a, b""), frame(0x88, &[3, 232])].concat(), 3),
            ([frame(0x01, b"a"), frame(0x89, b"between"), frame(0x00, b""), frame(0x80, b"b")].concat(), 1),
        ] {
            let mut scan = Scan::default();
            assert_eq!(scan.take(&bytes), (bytes.len(), Ok(())));
            assert_eq!((scan.is_half(), scan.wholes()), (false, wholes));
        }
    }

    #[test]
    fn each_rule_that_is_broken_is_noticed() {
        for first in [0xc1, 0xa1, 0x91, 0xc9] {
            assert!(breaks_a_rule(&frame(first, b"x")), "reserved bits {first:x}");
        }
        for opcode in (3..8).chain(11..16) {
            assert!(breaks_a_rule(&frame(0x80 | opcode, b"x")), "opcode {opcode}");
        }
        for control in [8, 9, 10] {
            assert!(breaks_a_rule(&frame(control, b"xy")), "fragmented {control}");
            assert!(breaks_a_rule(&frame(0x80 | control, &[0; 126])), "126 bytes of {control}");
        }
        assert!(breaks_a_rule(&frame(0x80, b"x")), "nothing to continue");
        assert!(breaks_a_rule(&[frame(0x01, b"a"), frame(0x81, b"b")].concat()), "not finished");
        assert!(breaks_a_rule(&[0x81, 1, b'x']), "unmasked");
        assert!(breaks_a_rule(&frame(0x88, &[3])), "half a close code");
        assert!(breaks_a_rule(&[0x81, 0xfe, 0, 125]), "125 in two bytes");
        assert!(breaks_a_rule(&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 255, 255]), "65,535 in eight bytes");
        assert!(breaks_a_rule(&[0x81, 0xff, 128, 0, 0, 0, 0, 0, 0, 0]), "2^63");
    }

    #[test]
    fn what_is_too_large_is_noticed_before_it_came() {
        assert_eq!(fault(&[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 1]), Some(Fault::TooLarge));
        assert_eq!(fault(&[0x82, 0xff, 127, 255, 255, 255, 255, 255, 255, 255]), Some(Fault::TooLarge));
        let half = frame(0x01, &vec![b'x'; FRAME_MAX - 1]);
        assert_eq!(fault(&[&half[..], &frame(0x80, b"x")].concat()), None);
        assert_eq!(fault(&[&half[..], &frame(0x80, b"xy")[..2]].concat()), Some(Fault::TooLarge));
        let pieces = [frame(0x01, b""), frame(0x00, b"").repeat(FRAGMENTS_MAX - 1)].concat();
        assert_eq!(fault(&pieces), None);
        assert_eq!(fault(&[pieces, frame(0x80, b"")].concat()), Some(Fault::TooManyFragments));
    }

    #[test]
    fn what_comes_before_a_broken_rule_is_let_through() {
        let good = frame(0x81, b"good");
        let mut scan = Scan::default();
        assert_eq!(scan.take(&[&good[..], &frame(0x83, b"bad")].concat()).0, good.len());
        let mut scan = Scan::default();
        assert_eq!(scan.take(&[&good[..], &[0x83]].concat()), (good.len() + 1, Ok(())));
        assert!(matches!(scan.take(&[0x80]), (0, Err(Fault::Protocol(_)))));
    }

    proptest! {
        #[test]
        fn it_makes_no_difference_how_the_bytes_are_cut(
            frames in prop::collection::vec((0_u8..16, any::<bool>(), prop::collection::vec(any::<u8>(), 0..300)), 0..8),
            cuts in prop::collection::vec(1_usize..40, 1..20),
        ) {
            let frames = frames.iter().map(|(opcode, is_last, payload)| frame(u8::from(*is_last) << 7 | opcode, payload));
            let bytes = frames.collect::<Vec<_>>().concat();
            let whole = fault(&bytes);
            let (mut scan, mut rest, mut found) = (Scan::default(), &bytes[..], None);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() || found.is_some() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                (rest, found) = (after, scan.take(piece).1.err());
            }
            prop_assert_eq!(found, whole);
        }
    }
}
