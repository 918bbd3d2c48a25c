//! What to say when a connection that was lost is back: how many messages went out.

use crate::state::ConnectionState;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Back {
    #[default]
    Here,
    /// The page said that the connection is lost.
    Away,
    /// It is back. So many messages are to be answered before that is worth a word, and so many had been refused before.
    Sending(usize, usize),
}

impl Back {
    /// Moves to `connection`, with so many messages unanswered and refused. Returns how many went out, when that is done. Where all
    /// that was written was refused there is nothing to be glad of.
    pub fn step(&mut self, connection: ConnectionState, (waiting, refused): (usize, usize)) -> Option<usize> {
        match (*self, connection) {
            (_, ConnectionState::Offline { .. }) => *self = Self::Away,
            // Whoever signs in again, or comes back to a tab that rested, sees that by themselves.
            (_, ConnectionState::SignedOut | ConnectionState::Resting) => *self = Self::Here,
            (Self::Away, ConnectionState::Online) => *self = Self::Sending(waiting, refused),
            _ => {}
        }
        let Self::Sending(all, before) = *self else { return None };
        if waiting > 0 {
            return None;
        }
        *self = Self::Here;
        let sent = all.saturating_sub(refused.saturating_sub(before));
        (all == 0 || sent > 0).then_some(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_without_a_connection_is_told_once_it_is_out() {
        let mut back = Back::default();
        let away = ConnectionState::Offline { retry_in: 3 };
        for (connection, unsent, told) in [
            (ConnectionState::Connecting, (0, 0), None),
            (ConnectionState::Online, (0, 0), None),
            (ConnectionState::Online, (1, 0), None),
            (away, (1, 0), None),
            (away, (2, 0), None),
            (ConnectionState::Online, (2, 0), None),
            (ConnectionState::Online, (1, 0), None),
            (ConnectionState::Online, (0, 0), Some(2)),
            (ConnectionState::Online, (0, 0), None),
            (away, (0, 0), None),
            (ConnectionState::Connecting, (0, 0), None),
            (ConnectionState::Online, (0, 0), Some(0)),
            (ConnectionState::Online, (3, 0), None),
            // It was lost again before all was out.
            (away, (2, 0), None),
            (ConnectionState::Online, (2, 0), None),
            (away, (1, 0), None),
            (ConnectionState::Online, (1, 0), None),
            (ConnectionState::Online, (0, 0), Some(1)),
            // What is refused did not go out.
            (away, (3, 1), None),
            (ConnectionState::Online, (3, 1), None),
            (ConnectionState::Online, (0, 2), Some(2)),
            (away, (1, 2), None),
            (ConnectionState::Online, (1, 2), None),
            (ConnectionState::Online, (0, 3), None),
            (away, (1, 0), None),
            (ConnectionState::SignedOut, (1, 0), None),
            (ConnectionState::Online, (0, 0), None),
        ] {
            assert_eq!(back.step(connection, unsent), told, "{connection:?} {unsent:?} {back:?}");
        }
    }
}
