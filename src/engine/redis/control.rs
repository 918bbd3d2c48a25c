//! What instances tell each other of people rather than of rooms, on the control channel.

use super::Redis;
use crate::{engine::TokenHash, telemetry::Seldom};
use app::{
    domain::{RoomKey, UserId},
    protocol::ReadMark,
};
use fred::prelude::PubsubInterface;
use tracing::warn;

/// It may happen with every mark for as long as a part of a Cluster is away.
static UNTOLD: Seldom = Seldom::new(1);

/// How word of a mark begins; that of a session's end begins with an instance.
const READ: &str = "read";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    Ended(TokenHash),
    Read(UserId, RoomKey, ReadMark),
}

impl Redis {
    /// Tells the other instances. What they do not hear of they find out by asking.
    pub(super) async fn tell_others(&self, word: &Word) {
        let text = word.written(self.subscriptions.origin());
        if let Err(error) = self.client.spublish::<(), _, _>(self.keys.control_channel(), text).await
            && let Some(others) = UNTOLD.say("")
        {
            warn!(%error, others, "the other instances were not told what happened to somebody");
        }
    }
}

impl Word {
    /// As the instance `own` says it.
    pub fn written(&self, own: &str) -> String {
        match self {
            Self::Ended(token) => format!("{own} {}", token.to_hex()),
            // The room last: its key may hold spaces.
            Self::Read(user, room, mark) => {
                format!("{READ} {own} {user} {} {} {}", mark.epoch, mark.seq, room.as_str())
            }
        }
    }

    /// What another instance than `own` said.
    pub fn from_elsewhere(text: &str, own: &str) -> Option<Self> {
        let (first, rest) = text.split_once(' ')?;
        if first == READ { read(rest, own) } else { ended(first, rest, own) }
    }
}

fn ended(origin: &str, token: &str, own: &str) -> Option<Word> {
    if origin == own || token.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(token.as_bytes().as_chunks::<2>().0) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(Word::Ended(TokenHash(bytes)))
}

fn read(text: &str, own: &str) -> Option<Word> {
    let mut words = text.splitn(5, ' ');
    let (origin, user) = (words.next()?, words.next()?.parse().ok()?);
    let mark = ReadMark { epoch: words.next()?.parse().ok()?, seq: words.next()?.parse().ok()? };
    let room = RoomKey::parse(words.next()?).ok()?;
    (origin != own).then_some(Word::Read(user, room, mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::domain::{Epoch, RoomName};

    #[test]
    fn what_one_instance_says_the_others_hear_and_itself_does_not() {
        let room = RoomName::parse("Design  Review").unwrap().key();
        let read = Word::Read(UserId(5), room, ReadMark { epoch: Epoch(7), seq: 12 });
        for word in [read, Word::Ended(TokenHash::of("token"))] {
            let text = word.written("0123456789abcdef");
            assert_eq!(Word::from_elsewhere(&text, "fedcba9876543210"), Some(word));
            assert_eq!(Word::from_elsewhere(&text, "0123456789abcdef"), None);
        }
    }

    #[test]
    fn what_is_no_word_is_none() {
        let sixty_four = "é".repeat(32);
        for text in ["", "read", "read here x", "here read 1 2 3 4", "here 12", &format!("here {sixty_four}")] {
            assert_eq!(Word::from_elsewhere(text, "elsewhere"), None, "{text}");
        }
    }
}
