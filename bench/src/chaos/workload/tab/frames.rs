//! What a tab hears and says, as the history has it.

use super::{super::Probe, Tab};
use crate::chaos::checker::{Slot, Staleness, sessions};
use app::protocol::{ClientFrame, ServerFrame};
use client::chat_client::SocketId;
use tokio::time::Instant;

impl Tab {
    /// Notes what arrived.
    pub(super) fn tap(&mut self, socket: SocketId, frame: &ServerFrame) {
        let mut history = self.shared.history.borrow_mut();
        history.trace(self.id, socket, "<", frame);
        self.online.incoming(&mut history, self.id, socket, frame);
        let by = self.chat.me().id;
        let now = history.now();
        let said = self.staleness.entry(socket).or_insert_with(|| Staleness::new(now)).heard(now);
        match frame {
            ServerFrame::Ack { room, p, n, at } => {
                let Some(room) = history.room_id(room) else { return };
                history.ack(Slot { by, p: *p, room, n: *n }, *at, said);
                sessions::accepted_after_sign_out(&mut history, Slot { by, p: *p, room, n: *n });
                if self.random.u8(..) < 4 {
                    let (cookie, when) = (self.login.cookie.clone(), history.now());
                    let _ = self.shared.probes.send(Probe { cookie, room, at: *at, when });
                }
            }
            ServerFrame::Voided { room, p, n } => {
                let Some(room) = history.room_id(room) else { return };
                history.void(Slot { by, p: *p, room, n: *n }, said);
            }
            ServerFrame::Move { .. } => self.told_to_move = Some((socket, Instant::now())),
            ServerFrame::Refused { room, p, n, retry: true, .. } => {
                let Some(room) = history.room_id(room) else { return };
                history.refused(Slot { by, p: *p, room, n: *n });
            }
            ServerFrame::Entry { entry, .. } => sessions::committed_after_sign_out(&mut history, by, entry),
            _ => {}
        }
    }

    /// Notes what is about to be sent, and sends it; on a socket that is gone nothing is.
    pub(super) fn send(&mut self, id: SocketId, frame: &ClientFrame) {
        let Some((_, socket)) = self.sockets.iter().find(|(other, _)| *other == id) else { return };
        let mut history = self.shared.history.borrow_mut();
        history.trace(self.id, id, ">", frame);
        self.online.outgoing(&history, id, frame);
        let by = self.chat.me().id;
        match frame {
            ClientFrame::Send { room, p, n, text, .. } => {
                if let Some(room) = history.room_id(room) {
                    history.send(Slot { by, p: *p, room, n: *n }, Some(text));
                }
            }
            ClientFrame::Void { room, p, n } => {
                if let Some(room) = history.room_id(room) {
                    history.send(Slot { by, p: *p, room, n: *n }, None);
                }
            }
            _ => {}
        }
        // Frames are structs of strings and numbers.
        socket.send(serde_json::to_string(frame).unwrap_or_default());
    }
}
