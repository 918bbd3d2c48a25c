//! Who reads back what was written: single messages while everything fails, and whole logs at the end.

use super::{
    Probe, Shared, http,
    socket::{Event, Socket},
};
use crate::{
    Result,
    chaos::checker::{Invariant, RoomId},
};
use app::{
    domain::{Cursor, Entry, EntryId, Epoch},
    protocol::{ClientFrame, Page, ServerFrame},
};
use std::{rc::Rc, time::Duration};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

/// Reads acknowledged messages back through whichever instance answers.
pub async fn read_back(shared: Rc<Shared>, mut probes: UnboundedReceiver<Probe>) {
    while let Some(probe) = probes.recv().await {
        let path = shared.history.borrow().rooms[probe.room].key.path();
        let http::Load::Page(page) = http::load(&shared.http, shared.front, &probe.cookie, &path).await else {
            continue;
        };
        let mut history = shared.history.borrow_mut();
        let Page { entries, cursor: top, .. } = &page.screen.opening.page;
        let listed = top.seq < probe.at.seq + entries.len().max(40) as u64;
        let there = top.epoch == probe.at.epoch
            && top.seq >= probe.at.seq
            && (!listed || entries.iter().any(|entry| entry.cursor() == probe.at));
        if !there {
            history.miss(Invariant::I5, probe.room, &[probe.at], probe.when, || {
                format!("room {}: {:?} was acknowledged, then a page ended at {top:?} without it", probe.room, probe.at)
            });
        }
    }
}

/// A room's log as one client reads it, newest page first, then back to the beginning.
pub async fn log(shared: &Rc<Shared>, cookie: &str, room: RoomId) -> Result<Vec<Entry>> {
    let key = shared.history.borrow().rooms[room].key.clone();
    let (sender, mut events) = unbounded_channel();
    let socket = Socket::open(0, shared.front, cookie, sender);
    let mut pages: Vec<Vec<Entry>> = Vec::new();
    let ask = |epoch: Epoch, before: u64| {
        serde_json::to_string(&ClientFrame::History { room: key.clone(), epoch, before }).unwrap_or_default()
    };
    loop {
        let event = timeout(Duration::from_secs(20), events.recv()).await?.ok_or("no more events")?;
        let Event::Frame(_, frame) = event else { return Err("the socket was closed".into()) };
        let page = match *frame {
            ServerFrame::Hello { .. } => {
                socket.send(serde_json::to_string(&ClientFrame::Join { room: key.clone(), cursor: None })?);
                continue;
            }
            ServerFrame::Joined { page, .. } | ServerFrame::History { page, .. } => page,
            ServerFrame::Error { code, .. } => return Err(format!("{code:?}").into()),
            _ => continue,
        };
        let (epoch, older) = (page.cursor.epoch, page.older);
        let first = page.entries.first().map_or(Cursor { epoch, seq: 0, id: EntryId(0) }, Entry::cursor);
        pages.push(page.entries);
        if !older {
            socket.send(serde_json::to_string(&ClientFrame::Leave { room: key.clone() })?);
            // Gone from the room before anybody counts who is there.
            while let Ok(Some(Event::Frame(_, frame))) = timeout(Duration::from_secs(5), events.recv()).await {
                if matches!(*frame, ServerFrame::Left { .. }) {
                    break;
                }
            }
            return Ok(pages.into_iter().rev().flatten().collect());
        }
        socket.send(ask(epoch, first.seq));
    }
}
