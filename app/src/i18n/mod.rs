//! Every string a person reads, in one typed catalogue: a language that lacks one does not compile.
//!
//! Names inside a sentence are isolated (U+2068 … U+2069), so that one written from right to left does not turn the
//! sentence around. Korean puts 님 after a name, which spares the particles that depend on a name's last letter.

mod en;
mod ko;

#[cfg(feature = "ssr")]
use crate::theme::Theme;
use crate::{
    clock::{Day, Local},
    protocol::ErrorCode,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    Ko,
    #[default]
    En,
}

impl Lang {
    pub const ALL: [Self; 2] = [Self::Ko, Self::En];

    /// The BCP 47 tag, as in `<html lang>`, the cookie and `/lang/<tag>`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Ko => "ko",
            Self::En => "en",
        }
    }

    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lang| lang.tag() == tag)
    }

    /// What the language calls itself.
    pub fn own_name(self) -> &'static str {
        match self {
            Self::Ko => "한국어",
            Self::En => "English",
        }
    }

    pub fn strings(self) -> &'static Strings {
        match self {
            Self::Ko => &ko::STRINGS,
            Self::En => &en::STRINGS,
        }
    }

    /// The language an `Accept-Language` header likes best; English if it likes none of ours.
    pub fn from_accept_language(header: &str) -> Self {
        let mut best = (0_u16, Self::default());
        for choice in header.split(',') {
            let mut parts = choice.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let primary = tag.split('-').next().unwrap_or_default();
            let Some(lang) = Self::ALL.into_iter().find(|lang| lang.tag().eq_ignore_ascii_case(primary)) else {
                continue;
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1_000), thousandths);
            if let Some(weight) = weight
                && weight > best.0
            {
                best = (weight, lang);
            }
        }
        best.1
    }
}

/// The quality value of RFC 9110, section 12.4.2, in thousandths.
fn thousandths(q: &str) -> Option<u16> {
    let (whole, digits) = q.split_once('.').unwrap_or((q, ""));
    if digits.len() > 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction = digits.bytes().chain(*b"000").take(3).fold(0, |sum, b| sum * 10 + u16::from(b - b'0'));
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1_000),
        _ => None,
    }
}

/// One language. A field that is a function takes what the sentence is about.
pub struct Strings {
    /// What only the server says.
    #[cfg(feature = "ssr")]
    pub pages: Pages,

    // Around a room
    pub menu: &'static str,
    pub close_menu: &'static str,
    pub skip_to_composer: &'static str,
    pub my_rooms: &'static str,
    pub all_rooms: &'static str,
    pub here_now: &'static str,
    pub more_people: fn(usize) -> String,
    pub unread: fn(usize) -> String,
    pub sign_out: &'static str,
    pub online: &'static str,
    pub connecting: &'static str,
    pub offline: &'static str,
    pub signed_out: &'static str,
    pub people: fn(usize) -> String,
    pub copy_link: &'static str,
    pub link_copied: &'static str,
    pub leave: &'static str,

    // Settings of this device
    pub settings: &'static str,
    pub switch_room: &'static str,
    pub no_room_found: &'static str,
    pub all_or_new: &'static str,

    // The list
    pub messages: &'static str,
    pub older: &'static str,
    pub loading: &'static str,
    pub newer: &'static str,
    pub to_newest: &'static str,
    /// Above the first message that is new to this reader.
    pub new_from_here: &'static str,
    pub copy_message: &'static str,
    pub beginning: fn(&str) -> String,
    pub be_first: &'static str,
    pub sending: &'static str,
    pub not_sent: fn(ErrorCode) -> String,
    pub retry: &'static str,
    pub discard: &'static str,
    /// Names and how many more.
    pub entered: fn(&[&str], usize) -> String,
    pub left: fn(&[&str], usize) -> String,
    pub gap: &'static str,
    pub reset: &'static str,
    pub new_messages: fn(usize) -> String,
    /// Name and text, for a screen reader.
    pub says: fn(&str, &str) -> String,
    /// Names and how many more.
    pub typing: fn(&[&str], usize) -> String,

    // The composer
    pub write_message: &'static str,
    pub send: &'static str,
    pub send_keys: &'static str,

    // Connection
    pub offline_banner: fn(u32) -> String,
    pub connect_now: &'static str,
    pub outdated: &'static str,
    pub signed_out_banner: &'static str,
    pub sign_in_as: fn(&str) -> String,
    pub create_room: fn(&str) -> String,

    pub error: fn(ErrorCode) -> &'static str,

    /// The day, and today.
    pub day: fn(Day, Day) -> String,
    /// The day without "today", with its year.
    pub full_day: fn(Day) -> String,
}

/// The strings of what only the server renders; the browser is not sent them.
#[cfg(feature = "ssr")]
pub struct Pages {
    // Sign-in
    pub door_title: &'static str,
    pub door_lead: &'static str,
    pub door_document: &'static str,
    pub name: &'static str,
    pub room: &'static str,
    pub room_help: &'static str,
    pub enter: &'static str,
    pub free_names: &'static str,
    pub enter_as: fn(&str) -> String,
    pub language: &'static str,
    /// What two people say in the picture beside the form.
    pub talk: [&'static str; 4],
    pub sign_in: &'static str,
    pub theme: &'static str,
    pub theme_name: fn(Theme) -> &'static str,
    pub enter_sends: &'static str,
    pub notify: &'static str,
    pub notify_refused: &'static str,
    pub mute: &'static str,

    // Keyboard
    pub shortcuts: &'static str,
    /// Keys, and what they do.
    pub shortcut_list: [(&'static str, &'static str); 6],
    pub single_key: &'static str,
    pub close: &'static str,

    // Directory
    pub rooms_title: &'static str,
    pub rooms_lead: &'static str,
    pub no_rooms: &'static str,
    pub new_room: &'static str,
    pub create: &'static str,
    pub last_active: &'static str,
    pub joined: &'static str,

    // Problems
    /// The status, and why.
    pub problem_title: fn(u16, ErrorCode) -> &'static str,
    pub no_such_room: fn(&str) -> String,
    pub try_again: &'static str,
    /// Above a message that was posted and could not be taken.
    pub kept: &'static str,
    pub to_room: &'static str,
}

impl Strings {
    /// A moment as a tooltip tells it.
    pub fn full_time(&self, at: Local) -> String {
        let mut text = (self.full_day)(at.day);
        text.push(' ');
        text.push_str(&time(at));
        text
    }

    /// A moment in a list: the time today, else the day.
    pub fn brief(&self, at: Local, today: Day) -> String {
        if at.day == today { time(at) } else { (self.day)(at.day, today) }
    }

    /// The number on a badge.
    pub fn badge(count: usize) -> String {
        if count > 99 { "99+".to_owned() } else { count.to_string() }
    }
}

/// `14:02`
pub fn time(at: Local) -> String {
    let digit = |n: u8| char::from(b'0' + n % 10);
    [digit(at.hour / 10), digit(at.hour), ':', digit(at.minute / 10), digit(at.minute)].iter().collect()
}

/// Keeps the writing direction of `name` to itself.
fn isolated(name: &str) -> String {
    format!("\u{2068}{name}\u{2069}")
}

/// The same between quotation marks, for a name that may read like a part of the sentence.
fn quoted(marks: [char; 2], name: &str) -> String {
    let [open, close] = marks;
    format!("{open}{}{close}", isolated(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_decides_by_weight_then_by_order() {
        for (header, lang) in [
            ("", Lang::En),
            ("ko", Lang::Ko),
            ("ko-KR,ko;q=0.9,en;q=0.8", Lang::Ko),
            ("en-US,en;q=0.9,ko;q=0.8", Lang::En),
            ("fr, de;q=0.9, ko;q=0.1", Lang::Ko),
            ("en;q=0.2, ko;q=0.35", Lang::Ko),
            ("ko;q=0, en;q=0.1", Lang::En),
            ("KO", Lang::Ko),
            ("kok", Lang::En),
            ("ko;q=7", Lang::En),
            ("*;q=0.5", Lang::En),
        ] {
            assert_eq!(Lang::from_accept_language(header), lang, "{header}");
        }
    }

    #[test]
    fn korean_names_take_nim_and_no_particle_of_their_own() {
        let t = Lang::Ko.strings();
        assert_eq!((t.entered)(&["Megan"], 0), "\u{2068}Megan\u{2069} 님이 들어왔습니다");
        assert_eq!(
            (t.entered)(&["Megan", "도윤"], 3),
            "\u{2068}Megan\u{2069} 님, \u{2068}도윤\u{2069} 님 외 3명이 들어왔습니다"
        );
        assert_eq!((Lang::En.strings().entered)(&["A"], 1), "\u{2068}A\u{2069} and 1 other entered");
        assert_eq!((Lang::En.strings().left)(&["A", "B"], 0), "\u{2068}A\u{2069} and \u{2068}B\u{2069} left");
    }

    #[test]
    fn days_are_named_from_the_readers_today() {
        let day = |day, weekday| Day { year: 2026, month: 11, day, weekday };
        let (ko, en) = (Lang::Ko.strings(), Lang::En.strings());
        assert_eq!((ko.day)(day(22, 0), day(22, 0)), "오늘 · 11월 22일 일요일");
        assert_eq!((en.day)(day(22, 0), day(22, 0)), "Today · Sunday, 22 November");
        assert_eq!((ko.day)(day(21, 6), day(22, 0)), "어제 · 11월 21일 토요일");
        assert_eq!((en.day)(day(20, 5), day(22, 0)), "Friday, 20 November");
        let last_year = Day { year: 2025, month: 12, day: 31, weekday: 3 };
        assert_eq!((ko.day)(last_year, day(22, 0)), "2025년 12월 31일 수요일");
        assert_eq!((en.day)(last_year, day(22, 0)), "Wednesday, 31 December 2025");
        assert_eq!(en.full_time(Local { day: day(2, 1), hour: 9, minute: 5 }), "Monday, 2 November 2026 09:05");
    }

    #[test]
    fn the_fields_with_one_meaning_differ_between_the_languages() {
        let (ko, en) = (Lang::Ko.strings(), Lang::En.strings());
        for code in [ErrorCode::NameTaken, ErrorCode::Unavailable, ErrorCode::Internal, ErrorCode::TextTooLong] {
            assert_ne!((ko.error)(code), (en.error)(code));
            assert!((ko.error)(code).ends_with('.') && (en.error)(code).ends_with('.'));
        }
    }
}
