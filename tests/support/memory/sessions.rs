//! Sessions and the names they hold.

use super::{
    live::Event,
    state::{Held, Token, Turn},
};
use app::{
    domain::{NameKey, UserId, UserName},
    protocol::Person,
};
use hubbub::engine::{OpenError, Session, TokenHash};

impl Turn<'_> {
    pub fn open(&mut self, token: TokenHash, name: UserName) -> Result<Session, OpenError> {
        let key = name.key();
        if !self.is_free(&key) {
            return Err(OpenError::Taken);
        }
        if name.mixes_scripts() {
            return Err(OpenError::MixedScripts);
        }
        let ran_out: Vec<Token> = self.holding(&key).map(|(token, _)| *token).collect();
        for token in ran_out {
            self.close(TokenHash(token));
        }
        if self.state.sessions.contains_key(&token.0) {
            return Err(OpenError::Taken);
        }
        let person = Person { id: UserId(self.ids.id()), name };
        self.state.sessions.insert(token.0, Held { person: person.clone(), key, seen_at: self.now });
        Ok(Session { token, person })
    }

    /// The session, which counts as used now.
    pub fn use_session(&mut self, token: TokenHash) -> Option<Session> {
        if !self.lives(&token.0) {
            return None;
        }
        let held = self.state.sessions.get_mut(&token.0)?;
        held.seen_at = self.now;
        Some(Session { token, person: held.person.clone() })
    }

    /// Nobody will ever have this person's id again.
    pub fn close(&mut self, token: TokenHash) {
        if let Some(held) = self.state.sessions.remove(&token.0) {
            self.state.members.remove(&held.person.id);
            self.tell(Event::Ended(token));
        }
    }

    pub fn lives(&self, token: &Token) -> bool {
        self.state.sessions.get(token).is_some_and(|held| self.is_used(held))
    }

    pub fn is_free(&self, key: &NameKey) -> bool {
        !self.holding(key).any(|(_, held)| self.is_used(held))
    }

    /// The sessions that have this name or a look-alike, and those that had one but ran out.
    fn holding(&self, key: &NameKey) -> impl Iterator<Item = (&Token, &Held)> {
        self.state.sessions.iter().filter(move |(_, held)| held.key.clashes(key))
    }

    fn is_used(&self, held: &Held) -> bool {
        held.seen_at + self.ttl > self.now
    }
}
