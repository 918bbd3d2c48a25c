use super::{Strings, isolated, quoted};
use crate::{client::clock::Day, protocol::ErrorCode};
#[cfg(feature = "ssr")]
use crate::{density::Density, theme::Theme};

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
        door_lead: "Nothing to install, nothing to sign up for, nothing lost when the line drops.",
        door_document: "Hubbub: one name, and you are talking",
        name: "Name",
        room: "Room",
        room_help: "New name? A new room. Whoever is in can read every room.",
        enter: "Join",
        name_hint: "Megan",
        room_hint: "lunch",
        lively: "People are here now:",
        so_many_here: |n| format!("{n} here"),
        free_names: "These are free:",
        enter_as: |name| format!("Join as {}", isolated(name)),
        language: "Language",
        talk: [
            "Going into a tunnel, might drop…",
            "No worries, it will all arrive",
            "Back! Nothing missing on my side.",
            "👏",
        ],
        about: "How it works",
        facts: [
            ("No account", "No password either. While you are here, nobody else can take your name."),
            ("Tunnels are fine", "Keep typing. Everything goes out when you are back, once and in order."),
            ("The link is the invitation", "Send somebody the address of a room, and they can join it."),
        ],
        sign_in: "Sign in",
        theme: "Theme",
        theme_name: |theme| match theme {
            Theme::System => "System",
            Theme::Light => "Light",
            Theme::Dark => "Dark",
        },
        density: "Spacing",
        density_name: |density| match density {
            Density::Comfortable => "Comfortable",
            Density::Compact => "Compact",
        },
        enter_sends: "Enter sends the message",
        notify: "Notify me of new messages",
        notify_refused: "Your browser blocks notifications from this site. Allow them in its settings.",
        notify_here: "Notifications from this room",
        leave: "Leave this room",

        waits: "Sends as soon as the page is ready",
        stopped: "Stopped",
        sign_out_unsent: [
            "A message has not been sent and will be lost. Sign out?",
            "# messages have not been sent and will be lost. Sign out?",
        ],
        stopped_banner: "This page has stopped. What you write can still be sent.",
        reload: "Reload",
        text_only: "Hubbub sends text only. Paste a link instead.",

        shortcuts: "Keyboard shortcuts",
        shortcut_list: [
            ("Ctrl K, ⌘ K", "Find a room"),
            ("Ctrl Enter, ⌘ Enter", "Always sends"),
            ("Shift Enter", "New line"),
            ("↑ ↓", "From message to message"),
            ("Esc", "Close what is open, or go back to writing"),
            ("?", "Show this list"),
        ],
        single_key: "Open this list with the ? key",
        close: "Close",

        rooms_title: "Rooms",
        rooms_lead: "Every room is open: whoever is signed in can read it. Pick one, or start your own.",
        no_rooms: "There are no rooms yet. Create the first one above.",
        new_room: "New room",
        create: "Create",
        find_room: "Find a room",
        rooms_found: |n| match n {
            0 => "No room found".to_owned(),
            1 => "1 room".to_owned(),
            n => format!("{n} rooms"),
        },
        no_room_called: |room| format!("There is no room called {}.", quoted(MARKS, room)),
        only_latest: "These were active last. To find another one, type its whole name.",
        back_to: |room| format!("Back to {}", isolated(room)),
        last_message: "Last message",
        made: "Created",
        are_here: |names, others| list(names, others) + " here now",
        joined: "Joined",
        you_left: |room| format!("You left {}", isolated(room)),
        undo: "Undo",

        problem_title: |status, code| match status {
            404 if code == ErrorCode::NotFound => "Nothing here",
            403 => "That request came from another site",
            404 => "No such room",
            422 => "That name does not work",
            429 => "Too much at once",
            503 => "Just a moment",
            400..=499 => "That did not work",
            _ => "Something broke on our side",
        },
        no_such_room: |room| format!("Nobody has created {} yet. You can, right now.", quoted(MARKS, room)),
        try_again: "Try again",
        open_at: "Hubbub is at",
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
    you: "(you)",
    unread: |n| format!("{} unread", Strings::badge(n)),
    sign_out: "Sign out",
    online: "Connected",
    connecting: "Connecting…",
    offline: "Not connected",
    signed_out: "Signed out",
    people: |n| if n == 1 { "1 person".to_owned() } else { format!("{n} people") },
    copy_link: "Copy the link to this room",
    link_copied: "Link copied",
    room_menu: "Room menu",

    settings: "Settings",
    switch_room: "Find a room",
    no_room_found: "There is no room called that.",
    all_or_new: "See all rooms, or create one",
    not_joined: "not joined",

    messages: "Messages",
    older: "Older messages",
    loading: "Loading…",
    newer: "Newer messages",
    to_newest: "Jump to latest",
    new_from_here: "New",
    copy_message: "Copy the link to this message",
    copy_text: "Copy text",
    copy_address: "Copy link",
    text_copied: "Text copied",
    copy_by_hand: "Copy this",
    show_more: "Show more",
    show_less: "Show less",
    beginning: |room| format!("This is where {} begins", quoted(MARKS, room)),
    be_first: "Nobody has written anything yet. Say hello, or send someone the link to this room.",
    address: "Address of this room",
    copy: "Copy link",
    example: "For example: “Lunch at 12? Tell me what you feel like.”",
    sending: "Sending",
    some_not_sent: "A message was not sent",
    not_sent: |code| match code {
        ErrorCode::Unavailable => "Not sent: the server did not answer.".to_owned(),
        code => format!("Not sent. {}", error(code)),
    },
    retry: "Retry",
    discard: "Discard",
    entered: |names, others| format!("{} entered", list(names, others)),
    left: |names, others| format!("{} left", list(names, others)),
    gap: "You were away for a long time. The messages in between are not shown here.",
    reset: "The server went back to an earlier state. Messages you saw before may be gone.",
    new_messages: |n| if n == "1" { "1 new message".to_owned() } else { format!("{n} new messages") },
    says: |name, text| format!("{}: {text}", isolated(name)),
    typing: |names, others| {
        let verb = if names.len() + others == 1 { " is typing…" } else { " are typing…" };
        list(names, others) + verb
    },

    characters_left: |n| if n == 1 { "1 character left".to_owned() } else { format!("{n} characters left") },
    characters_over: |n| if n == 1 { "1 character too many".to_owned() } else { format!("{n} characters too many") },
    write_message: "Write a message",
    send: "Send",
    send_keys: "Send (Ctrl Enter, ⌘ Enter)",

    offline_banner: |seconds| match seconds {
        0 => "Connection lost. Trying again now. What you write is kept.".to_owned(),
        1 => "Connection lost. Trying again in 1 second. What you write is kept.".to_owned(),
        n => format!("Connection lost. Trying again in {n} seconds. What you write is kept."),
    },
    back: |sent| match sent {
        0 => "Back online.".to_owned(),
        1 => "Back! 1 message went out.".to_owned(),
        n => format!("Back! {n} messages went out."),
    },
    resting_banner: "Too many tabs are open. This one is paused until you come back to it.",
    connect_now: "Connect now",
    slow: |left| format!("Sending slowly, {left} left"),
    outdated: "There is a new version of this page. Reload",
    put_away: "Hide",
    signed_out_banner: "You are signed out. What you wrote is kept. Sign in to go on.",
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
    halved: |time, morning| [time, "\u{a0}", if morning { "AM" } else { "PM" }].concat(),
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
        #[cfg(feature = "ssr")]
        ErrorCode::NameEmpty => "Type a name for others to see.",
        #[cfg(feature = "ssr")]
        ErrorCode::NameTooLong => "That name is too long. Use at most 32 characters.",
        #[cfg(feature = "ssr")]
        ErrorCode::NameInvalid => {
            "That does not work as a name. Use letters, digits, spaces or emoji: no slash, not only dots, nothing invisible."
        }
        #[cfg(feature = "ssr")]
        ErrorCode::NameMixed | ErrorCode::RoomMixed => {
            "One word in it mixes letters of different alphabets, which can make it look like another name. Write each word in one alphabet."
        }
        #[cfg(feature = "ssr")]
        ErrorCode::NameTaken => "That name, or one that looks like it, is taken. Choose another.",
        #[cfg(feature = "ssr")]
        ErrorCode::RoomEmpty => "Type the name of a room.",
        #[cfg(feature = "ssr")]
        ErrorCode::RoomTooLong => "That room name is too long. Use at most 64 characters.",
        #[cfg(feature = "ssr")]
        ErrorCode::RoomInvalid => {
            "That does not work as a room. Use letters, digits, spaces or emoji: no slash, not only dots, nothing invisible."
        }
        ErrorCode::RoomUnknown => "There is no such room. Check its name, or create it.",
        ErrorCode::TextEmpty => "There is nothing to send. Write a message first.",
        ErrorCode::TextTooLong => "That message is too long. Send at most 4,000 characters, or split it in two.",
        ErrorCode::TextInvalid => "That message contains control characters. Remove them and send it again.",
        // What only pages without a script say, a script does not understand.
        #[cfg(not(feature = "ssr"))]
        ErrorCode::NameEmpty
        | ErrorCode::NameTooLong
        | ErrorCode::NameInvalid
        | ErrorCode::NameTaken
        | ErrorCode::RoomEmpty
        | ErrorCode::RoomTooLong
        | ErrorCode::RoomInvalid
        | ErrorCode::NotFound
        | ErrorCode::OriginRefused => error(ErrorCode::BadFrame),
        ErrorCode::BadFrame | ErrorCode::UnknownFrame | ErrorCode::NotText => {
            "This page and the server do not understand each other. Reload the page."
        }
        ErrorCode::NotJoined => "You are not in this room. Join it again.",
        ErrorCode::TooManyRooms => "You have reached the limit of 200 rooms. Leave one first.",
        #[cfg(feature = "ssr")]
        ErrorCode::NotFound => "Check the address for typing errors.",
        ErrorCode::OutOfOrder => "An earlier message was not stored. Send this one again.",
        ErrorCode::Conflict => "Another message was sent in this one's place. Send it again.",
        ErrorCode::EpochUnknown => "This room has been started anew. Reload the page.",
        ErrorCode::SessionExpired => "You are signed out. Sign in again to go on.",
        #[cfg(feature = "ssr")]
        ErrorCode::OriginRefused => "To be safe, nothing was done. Open Hubbub itself and try again.",
        ErrorCode::TooMany => "That was a lot in a short time. Wait a moment and try again.",
        ErrorCode::Unavailable => "The server is not answering. Try again in a moment.",
        #[cfg(feature = "ssr")]
        ErrorCode::NoCookie => {
            "Your browser did not keep the cookie that says who you are, so you were not let in and the name is still free. Open this server over HTTPS. If it is meant for a home network, whoever runs it can set HUBBUB_ALLOW_PLAIN_HTTP=true."
        }
        #[cfg(feature = "ssr")]
        ErrorCode::BadRequest => "The server could not read that request. Go back, reload the page and try again.",
        #[cfg(feature = "ssr")]
        ErrorCode::TooSlow => "That took too long, and nobody can tell whether it was done. Try again.",
        #[cfg(feature = "ssr")]
        ErrorCode::TooLarge => "That is more than the server accepts at once. Shorten it, or send it in parts.",
        ErrorCode::Internal => {
            "Something went wrong on the server. Try again. If it keeps happening, tell whoever runs it."
        }
    }
}
