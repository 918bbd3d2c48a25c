//! The history of a run: what people did and what their tabs saw, and what of it broke an invariant at once.

use app::domain::{Cursor, Entry, ProducerId, RoomKey, UserId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// From this long after a sign-out on nothing may be committed for that session, or be given to it that was committed later.
pub const SIGN_OUT_MS: u64 = 5_000;

/// The invariants of the product, named as in `docs/reliability.md`, and two that it does not number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    I1,
    I2,
    I3,
    I4,
    I6,
    I7,
    I8,
    I9,
    /// Every tab knows how far its person has read, and how much is left.
    Marks,
    /// A socket is told to move in time, and is gone soon after.
    Moves,
}

/// A number of a producer in a room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    pub by: UserId,
    pub p: ProducerId,
    pub room: RoomKey,
    pub n: u64,
}

/// One message that somebody wrote; its text is unique in the run.
#[derive(Debug, Clone)]
pub struct Submission {
    pub tab: usize,
    pub room: RoomKey,
    pub by: UserId,
    /// Among all submissions; a message that failed and is tried again counts anew.
    pub order: u64,
    pub retried: bool,
    pub discarded: bool,
    /// Its writer signed out, left the room, or lost the tab's storage.
    pub abandoned: bool,
}

/// A place of a room's log, with an order: epoch, seq and id.
pub type Place = (RoomKey, u64, u64, u64);

#[derive(Default)]
pub struct Record {
    pub submitted: BTreeMap<String, Submission>,
    /// What was sent under each number; `None` for a void alone.
    pub sent: BTreeMap<Slot, Option<String>>,
    pub acks: BTreeMap<Slot, Cursor>,
    /// When, among all of them, a tab got to know last that a message is in the log.
    pub landed: BTreeMap<String, u64>,
    /// Numbers of which their sender was told that they are no message.
    pub voided: BTreeSet<Slot>,
    /// What any tab showed, and which tab first.
    pub shown: BTreeMap<Place, (usize, Arc<Entry>)>,
    /// What setting the store back has cut off, and when.
    pub lost: BTreeSet<Place>,
    pub set_back: Vec<u64>,
    /// When each person was told that they are signed out.
    pub signed_out: BTreeMap<UserId, u64>,
    /// Who ever left which room. Coming back to it begins a mark anew, of which their other tabs hear with the next one.
    pub left: BTreeSet<(UserId, RoomKey)>,
    /// Whose session each cookie is.
    pub cookies: BTreeMap<String, UserId>,
    pub violations: Vec<(Invariant, String)>,
    orders: u64,
}

pub fn place(room: &RoomKey, at: Cursor) -> Place {
    (room.clone(), at.epoch.0, at.seq, at.id.0)
}

impl Record {
    pub fn violate(&mut self, invariant: Invariant, what: String) {
        self.violations.push((invariant, what));
    }

    /// Somebody wrote `text`, or tries it again.
    pub fn submit(&mut self, text: &str, tab: usize, room: &RoomKey, by: UserId) {
        self.orders += 1;
        let order = self.orders;
        let again = |it: &mut Submission| (it.order, it.retried) = (order, true);
        let new = Submission { tab, room: room.clone(), by, order, retried: false, discarded: false, abandoned: false };
        self.submitted.entry(text.to_owned()).and_modify(again).or_insert(new);
    }

    pub fn discard(&mut self, text: &str) {
        if let Some(submission) = self.submitted.get_mut(text) {
            submission.discarded = true;
        }
    }

    /// What of it was not sent yet may stay so, and what the log loses is not missed.
    pub fn abandon(&mut self, which: impl Fn(&Submission) -> bool) {
        self.submitted.values_mut().filter(|it| which(it)).for_each(|it| it.abandoned = true);
    }

    /// A tab puts `text` (`None`: a void) under a number on the wire.
    pub fn send(&mut self, slot: Slot, text: Option<&str>) {
        let before = self.sent.get(&slot).cloned().flatten();
        if let (Some(before), Some(text)) = (&before, text)
            && before != text
        {
            self.violate(Invariant::I3, format!("{slot:?} was used for two messages"));
        }
        self.sent.insert(slot, before.or(text.map(str::to_owned)));
    }

    pub fn ack(&mut self, slot: &Slot, at: Cursor) {
        if !self.sent.contains_key(slot) {
            self.violate(Invariant::I6, format!("an acknowledgement of {slot:?}, which nobody sent"));
        }
        if let Some(text) = self.sent.get(slot).cloned().flatten() {
            self.land(text);
        }
        if let Some(before) = self.acks.insert(slot.clone(), at)
            && before != at
            && !self.lost.contains(&place(&slot.room, before))
        {
            self.violate(Invariant::I3, format!("{slot:?} was acknowledged at {before:?}, then at {at:?}"));
        }
    }

    fn land(&mut self, text: String) {
        self.orders += 1;
        self.landed.insert(text, self.orders);
    }

    /// How many messages of the same tab and room it got to know of since it did of this one, which is one of them.
    pub fn landed_since(&self, text: &str) -> usize {
        let (Some(then), Some(it)) = (self.landed.get(text), self.submitted.get(text)) else { return 0 };
        let same = |text: &String| {
            self.submitted.get(text).is_some_and(|other| (other.tab, &other.room) == (it.tab, &it.room))
        };
        self.landed.iter().filter(|(text, when)| *when >= then && same(text)).count()
    }

    /// A tab shows these from now on.
    pub fn show(&mut self, tab: usize, room: &RoomKey, entry: &Arc<Entry>) {
        let (_, shown) = self.shown.entry(place(room, entry.cursor())).or_insert_with(|| (tab, entry.clone()));
        if shown != entry {
            self.violate(Invariant::I2, format!("{entry:?} reads differently in tab {tab}"));
        }
        // One's own entry in the log is as good as an acknowledgement.
        if let Some(text) = entry.text().filter(|text| self.submitted.get(*text).is_some_and(|it| it.tab == tab))
            && !self.landed.contains_key(text)
        {
            self.land(text.to_owned());
        }
    }

    /// An entry arrived at somebody; it was committed at that moment of the run.
    pub fn delivered(&mut self, to: UserId, entry: &Entry, committed: u64) {
        if self.ended_before(to, committed) {
            self.violate(Invariant::I8, format!("seq {} was given to {to}, who had signed out", entry.seq));
        }
    }

    /// Whether somebody's session had ended for so long that nothing is done for it any more.
    pub fn ended_before(&self, user: UserId, moment: u64) -> bool {
        // A store that is set back may know the session again.
        let ended = |out: u64| moment > out + SIGN_OUT_MS && !self.set_back.iter().any(|at| *at > out);
        self.signed_out.get(&user).is_some_and(|out| ended(*out))
    }
}
