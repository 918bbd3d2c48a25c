//! A reader that stopped reading, and what it does when it wakes: come to the end of the log without a hole.

use crate::{Result, client::Client};
use app::{
    domain::{Cursor, RoomKey},
    protocol::{ClientFrame, JoinedHow, Page, ServerFrame},
};
use client::timeline::{Applied, Timeline};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpSocket,
    sync::watch,
    time::{sleep, timeout},
};

/// How long one who wakes may take to have everything.
const PATIENCE: Duration = Duration::from_mins(1);
/// No frame for so long after the joins means that all of them have been told of each other.
const QUIET: Duration = Duration::from_millis(700);

pub struct Sleeper {
    client: Client,
    address: SocketAddr,
    cookie: String,
    room: RoomKey,
    /// Where it joined.
    begin: Cursor,
    pub port: u16,
}

/// How one that woke got everything.
pub struct Woken {
    pub took: Duration,
    /// Was moved to the newest page, and filled the gap from history.
    pub jumped: bool,
    /// Found its socket closed, and resumed on another.
    pub reconnected: bool,
}

impl Sleeper {
    /// Joins `room` with `receive_buffer` bytes of buffer in the kernel, so that not reading is soon felt at the other end.
    pub async fn join(address: SocketAddr, cookie: String, room: RoomKey, receive_buffer: u32) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(receive_buffer)?;
        let mut client = Client::over(socket, address, &cookie).await?;
        let (_, begin) = client.join(&room).await?;
        let port = client.port()?;
        Ok(Self { client, address, cookie, room, begin, port })
    }

    /// Reads until nothing comes any more. After that it does not read.
    pub async fn doze_off(&mut self) -> Result<()> {
        while let Ok(frame) = timeout(QUIET, self.client.text()).await {
            frame.ok_or("the socket was closed while everybody joined")?;
        }
        Ok(())
    }

    /// Reads again until it has every entry from where it joined to `end`, once that is known.
    ///
    /// # Errors
    /// An entry is missing or is not the log's, there was a reset, or it took longer than a minute.
    pub async fn wake(self, end: watch::Receiver<Option<Cursor>>) -> Result<Woken> {
        let start = Instant::now();
        let empty = Page { entries: Vec::new(), cursor: self.begin, older: self.begin.seq > 0 };
        let timeline = Timeline::newest(empty).map_err(|_| "an empty page has no hole")?;
        let mut waking = Waking { sleeper: self, timeline, asked: None, jumps: Vec::new(), reconnected: false };
        let caught_up = timeout(PATIENCE, waking.catch_up(end)).await;
        let end = caught_up.map_err(|_| format!("one that woke is at {:?}", waking.timeline.cursor()))??;
        waking.check(end)?;
        let Waking { jumps, reconnected, .. } = waking;
        Ok(Woken { took: start.elapsed(), jumped: !jumps.is_empty(), reconnected })
    }
}

struct Waking {
    sleeper: Sleeper,
    timeline: Timeline,
    /// The `before` of the page of history under way.
    asked: Option<u64>,
    /// Where it was each time it was moved to the newest page.
    jumps: Vec<Cursor>,
    reconnected: bool,
}

impl Waking {
    async fn catch_up(&mut self, mut end: watch::Receiver<Option<Cursor>>) -> Result<Cursor> {
        let first = self.sleeper.begin.seq + 1;
        loop {
            let known = *end.borrow_and_update();
            match known {
                Some(end) if self.timeline.cursor().seq >= end.seq && self.timeline.first_seq() <= first => {
                    return Ok(end);
                }
                _ => {}
            }
            if self.asked.is_none() && self.timeline.first_seq() > first {
                let (epoch, before) = (self.timeline.cursor().epoch, self.timeline.first_seq());
                self.asked = Some(before);
                // A socket that is lost shows when it is read.
                let _ = self.sleeper.client.send(&ClientFrame::History { room: self.room(), epoch, before }).await;
            }
            tokio::select! {
                frame = self.sleeper.client.text() => match frame {
                    Some(frame) => self.take(serde_json::from_str(&frame)?)?,
                    None => self.reconnect().await?,
                },
                Ok(()) = end.changed(), if known.is_none() => {}
            }
        }
    }

    fn room(&self) -> RoomKey {
        self.sleeper.room.clone()
    }

    fn take(&mut self, frame: ServerFrame) -> Result<()> {
        match frame {
            ServerFrame::Entry { entry, .. } => {
                let cursor = entry.cursor();
                match self.timeline.apply(entry) {
                    Applied::Appended | Applied::Duplicate => {}
                    Applied::Gap | Applied::Diverged => {
                        return Err(format!("{cursor:?} does not follow {:?}", self.timeline.cursor()).into());
                    }
                }
            }
            ServerFrame::Joined { how: JoinedHow::Jumped, page, .. }
            | ServerFrame::Reset { how: JoinedHow::Jumped, page, .. } => {
                self.jumps.push(self.timeline.cursor());
                self.timeline.reset(page).map_err(|_| "the newest page has a hole")?;
            }
            ServerFrame::Joined { how: JoinedHow::Resumed, page, .. } => {
                self.timeline.resume(page).map_err(|_| "what was resumed does not follow the cursor")?;
            }
            ServerFrame::Joined { how, .. } | ServerFrame::Reset { how, .. } => {
                return Err(format!("one that woke was answered {how:?}").into());
            }
            ServerFrame::History { before, page, .. } => {
                self.asked = None;
                // Another jump may have come in between.
                if before == self.timeline.first_seq() {
                    self.timeline.prepend(page).map_err(|_| "history does not lead to what was shown")?;
                }
            }
            ServerFrame::Error { code, detail, .. } => return Err(format!("{code:?}: {detail}").into()),
            _ => {}
        }
        Ok(())
    }

    async fn reconnect(&mut self) -> Result<()> {
        self.reconnected = true;
        self.asked = None;
        let Sleeper { address, cookie, .. } = &self.sleeper;
        let mut tries = 0;
        self.sleeper.client = loop {
            match Client::connect(*address, cookie).await {
                Ok(client) => break client,
                Err(error) if tries == 10 => return Err(error),
                Err(_) => sleep(Duration::from_millis(250)).await,
            }
            tries += 1;
        };
        let join = ClientFrame::Join { room: self.room(), cursor: Some(self.timeline.cursor()) };
        self.sleeper.client.send(&join).await
    }

    /// The timeline is a run without a hole by itself; this says that it is the whole of the log, and the log that was seen
    /// before each jump.
    fn check(&self, end: Cursor) -> Result<()> {
        for at in self.jumps.iter().chain([&self.sleeper.begin, &end]) {
            if self.timeline.has(*at) != Some(true) {
                return Err(format!("one that woke does not have {at:?}").into());
            }
        }
        Ok(())
    }
}
