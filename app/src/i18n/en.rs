use super::{Strings, isolated, quoted};
#[cfg(feature = "ssr")]
use crate::theme::Theme;
use crate::{clock::Day, protocol::ErrorCode};

const MARKS: [char; 2] = ['“', '”'];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub static STRINGS: Strings = Strings {
    #[cfg(feature = "ssr")]
    pages: super::Pages {
        door_title: "One name, and you are talking",
        door_lead: "Nothing to install, nothing to sign up for. Nothing lost when the line drops.",
        door_document: "Enter · Hubbub",
        name: "Name",
        room: "Room",
        room_help: "A room that does not exist is created.",
        enter: "Enter",
        free_names: "These are free:",
        enter_as: |name| format!("Enter as {}", isolated(name)),
        language: "Language",
        talk: [
            "Going into a tunnel, might drop…",
            "No worries, it will all arrive",
            "Back! Nothing missing on my side.",
            "👏",
        ],
        sign_in: "Sign in",
        theme: "Theme",
        theme_name: |theme| match theme {
            Theme::System => "System",
            Theme::Light => "Light",
            Theme::Dark => "Dark",
        },
        enter_sends: "Enter sends the message",
        notify: "Notify me of new messages",
        notify_refused: "The browser does not allow notifications from this site. Allow them in its own settings.",
        mute: "No notifications from this room",

        shortcuts: "Keyboard shortcuts",
        shortcut_list: [
            ("Ctrl K, ⌘ K", "Go to another room"),
            ("Ctrl Enter, ⌘ Enter", "Send, whatever Enter does"),
            ("Shift Enter", "Break the line"),
            ("↑ ↓", "In the list: from message to message"),
            ("Esc", "Close what is on top; from the list back to writing"),
            ("?", "Show this list"),
        ],
        single_key: "Open this list with the ? key",
        close: "Close",

        rooms_title: "Rooms",
        rooms_lead: "Every room is open. Pick one, or start your own.",
        no_rooms: "There is no room yet. Create the first one above.",
        new_room: "New room",
        create: "Create",
        last_active: "Last active",
        joined: "Joined",

        problem_title: |status, code| match status {
            404 if code == ErrorCode::NotFound => "There is nothing here",
            403 => "That did not come from here",
            404 => "There is no such room",
            422 => "That name does not work",
            429 => "Too much at once",
            503 => "Just a moment",
            400..=499 => "That did not work",
            _ => "Something broke on our side",
        },
        no_such_room: |room| format!("Nobody has created {} yet. You can, right now.", quoted(MARKS, room)),
        try_again: "Try again",
        kept: "Your message, not sent yet",
        to_room: "Back to the room",
    },

    menu: "Rooms and people",
    close_menu: "Close",
    skip_to_composer: "Skip to writing",
    my_rooms: "My rooms",
    all_rooms: "All rooms",
    here_now: "Here now",
    more_people: |n| format!("and {n} more"),
    unread: |n| format!("{n} unread"),
    sign_out: "Sign out",
    online: "Connected",
    connecting: "Connecting…",
    offline: "Not connected",
    signed_out: "Signed out",
    people: |n| if n == 1 { "1 person".to_owned() } else { format!("{n} people") },
    copy_link: "Copy the link to this room",
    link_copied: "Link copied",
    leave: "Leave this room",

    settings: "Settings",
    switch_room: "Go to a room",
    no_room_found: "None of your rooms is called that.",
    all_or_new: "All rooms, or a new one",

    messages: "Messages",
    older: "Older messages",
    loading: "Loading…",
    newer: "Newer messages",
    to_newest: "To the newest messages",
    new_from_here: "New",
    copy_message: "Copy the link to this message",
    beginning: |room| format!("This is where {} begins", quoted(MARKS, room)),
    be_first: "Nobody has written anything yet. Say hello, or send someone the link to this room.",
    sending: "Sending",
    not_sent: |code| match code {
        ErrorCode::Unavailable => "Not sent: the server's store did not answer.".to_owned(),
        code => format!("Not sent. {}", error(code)),
    },
    retry: "Retry",
    discard: "Discard",
    entered: |names, others| format!("{} entered", list(names, others)),
    left: |names, others| format!("{} left", list(names, others)),
    gap: "You were away for long. Messages in between are not shown here.",
    reset: "The server was set back to an earlier state. Messages shown before may be gone.",
    new_messages: |n| if n == 1 { "1 new message".to_owned() } else { format!("{n} new messages") },
    says: |name, text| format!("{}: {text}", isolated(name)),
    typing: |names, others| {
        let verb = if names.len() + others == 1 { " is typing…" } else { " are typing…" };
        list(names, others) + verb
    },

    write_message: "Write a message",
    send: "Send",
    send_keys: "Send (Ctrl Enter, ⌘ Enter)",

    offline_banner: |seconds| match seconds {
        0 => "Connection lost. Trying again now. What you write is kept.".to_owned(),
        n => format!("Connection lost. Trying again in {n} s. What you write is kept."),
    },
    connect_now: "Connect now",
    outdated: "There is a new version of this page. Reload",
    signed_out_banner: "You are signed out. What you wrote is kept; sign in to go on.",
    sign_in_as: |name| format!("Sign in as {}", isolated(name)),
    create_room: |room| format!("Create {}", quoted(MARKS, room)),

    error,

    day: |day, today| {
        let year = if day.year == today.year { String::new() } else { format!(" {}", day.year) };
        let prefix = match day.days_before(today) {
            0 => "Today · ",
            1 => "Yesterday · ",
            _ => "",
        };
        format!("{prefix}{}{year}", without_year(day))
    },
    full_day: |day| format!("{} {}", without_year(day), day.year),
};

fn without_year(day: Day) -> String {
    let weekday = WEEKDAYS[usize::from(day.weekday) % 7];
    let month = MONTHS[usize::from(day.month).saturating_sub(1) % 12];
    format!("{weekday}, {} {month}", day.day)
}

fn list(names: &[&str], others: usize) -> String {
    let mut parts: Vec<String> = names.iter().map(|name| isolated(name)).collect();
    match others {
        0 => {}
        1 => parts.push("1 other".to_owned()),
        n => parts.push(format!("{n} others")),
    }
    match parts.pop() {
        Some(last) if !parts.is_empty() => format!("{} and {last}", parts.join(", ")),
        last => last.unwrap_or_default(),
    }
}

fn error(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::NameEmpty => "Type a name for others to see.",
        ErrorCode::NameTooLong => "That name is too long. Use at most 32 characters.",
        ErrorCode::NameInvalid => {
            "That does not work as a name. Use letters, digits, spaces or emoji: no slash, not only dots, nothing invisible."
        }
        ErrorCode::NameTaken => "That name, or one that looks like it, is taken. Choose another.",
        ErrorCode::RoomEmpty => "Type the name of a room.",
        ErrorCode::RoomTooLong => "That room name is too long. Use at most 64 characters.",
        ErrorCode::RoomInvalid => {
            "That does not work as a room. Use letters, digits, spaces or emoji: no slash, not only dots, nothing invisible."
        }
        ErrorCode::RoomUnknown => "There is no such room. Check its name, or create it.",
        ErrorCode::TextEmpty => "There is nothing to send. Write a message first.",
        ErrorCode::TextTooLong => "That message is too long. Send at most 4,000 characters, or split it in two.",
        ErrorCode::TextInvalid => "That message holds control characters. Remove them and send it again.",
        ErrorCode::BadFrame | ErrorCode::UnknownFrame | ErrorCode::NotText => {
            "This page and the server do not understand each other. Reload the page."
        }
        ErrorCode::NotJoined => "You are not in this room. Enter it again.",
        ErrorCode::TooManyRooms => "You are in as many rooms as one can be. Leave one first.",
        ErrorCode::NotFound => "There is nothing at this address. Check it for typing errors.",
        ErrorCode::OutOfOrder => "An earlier message was not stored. Send this one again.",
        ErrorCode::Conflict => "Another message was sent in this one's place. Send it again.",
        ErrorCode::EpochUnknown => "The room was started anew in the meantime. Reload the page.",
        ErrorCode::SessionExpired => "You are signed out. Sign in again to go on.",
        ErrorCode::OriginRefused => "The request came from a page of another site. Open Hubbub itself and try again.",
        ErrorCode::Unavailable => "The server's store does not answer. Try again in a moment.",
        ErrorCode::Internal => "Something went wrong on the server. Try again; if it stays, tell whoever runs it.",
    }
}
