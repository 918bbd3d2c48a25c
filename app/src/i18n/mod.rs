//! Every string a person reads, in one typed catalogue: a language that lacks one does not compile.
//!
//! Names inside a sentence are isolated (U+2068 … U+2069), so that one written from right to left does not turn the
//! sentence around. Korean puts 님 after a name, which spares the particles that depend on a name's last letter.

mod en;
mod ko;

use crate::{
    client::clock::{Day, Local},
    clock::Dial,
    protocol::ErrorCode,
};
#[cfg(feature = "ssr")]
use crate::{density::Density, theme::Theme};
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

impl Lang {
    /// Whether a reader of this language tells the time by twice twelve hours. Koreans do. English is read everywhere: the browser's
    /// `cycle` decides, and as long as that is not known the country that `accepted`, its `Accept-Language`, begins with.
    #[cfg(feature = "ssr")]
    pub fn halves(self, cycle: Option<&str>, accepted: &str) -> bool {
        const COUNTRIES: [&str; 12] = ["AU", "BD", "CA", "HK", "IN", "KR", "MY", "NZ", "PH", "PK", "SG", "US"];
        match (self, cycle) {
            (Self::Ko, _) | (_, Some("h11" | "h12")) => true,
            (_, Some("h23" | "h24")) => false,
            _ => {
                let tag = accepted.split([',', ';']).next().unwrap_or_default().trim();
                match tag.split_once('-') {
                    Some((_, country)) => COUNTRIES.iter().any(|known| known.eq_ignore_ascii_case(country)),
                    None => ["", "*", "en", "ko"].iter().any(|known| known.eq_ignore_ascii_case(tag)),
                }
            }
        }
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
    /// Behind the reader's own name.
    pub you: &'static str,
    pub unread: fn(usize) -> String,
    pub sign_out: &'static str,
    pub online: &'static str,
    pub connecting: &'static str,
    pub offline: &'static str,
    pub signed_out: &'static str,
    pub people: fn(usize) -> String,
    pub copy_link: &'static str,
    pub link_copied: &'static str,
    pub room_menu: &'static str,

    // Settings of this device
    pub settings: &'static str,
    pub switch_room: &'static str,
    pub no_room_found: &'static str,
    /// Beside a room that one is not in yet.
    pub not_joined: &'static str,
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
    pub copy_text: &'static str,
    /// The same as `copy_message`, short enough to stand in a button.
    pub copy_address: &'static str,
    pub text_copied: &'static str,
    /// Where the browser does not copy.
    pub copy_by_hand: &'static str,
    /// The rest of a long message.
    pub show_more: &'static str,
    pub show_less: &'static str,
    pub beginning: fn(&str) -> String,
    pub be_first: &'static str,
    /// Of the room, to be sent to somebody.
    pub address: &'static str,
    pub copy: &'static str,
    /// What somebody may write with it.
    pub example: &'static str,
    pub sending: &'static str,
    pub not_sent: fn(ErrorCode) -> String,
    /// Of a room, or of all.
    pub some_not_sent: &'static str,
    pub retry: &'static str,
    pub discard: &'static str,
    /// Names and how many more.
    pub entered: fn(&[&str], usize) -> String,
    pub left: fn(&[&str], usize) -> String,
    pub gap: &'static str,
    pub reset: &'static str,
    /// So many, or a badge's number of those that were counted up to a point only.
    pub new_messages: fn(&str) -> String,
    /// Name and text, for a screen reader.
    pub says: fn(&str, &str) -> String,
    /// Names and how many more.
    pub typing: fn(&[&str], usize) -> String,

    // The composer
    pub write_message: &'static str,
    pub characters_left: fn(usize) -> String,
    pub characters_over: fn(usize) -> String,
    pub send: &'static str,
    pub send_keys: &'static str,

    // Connection
    pub offline_banner: fn(u32) -> String,
    /// The connection is back, and so many messages went out.
    pub back: fn(usize) -> String,
    /// This tab is not connected until somebody comes back to it.
    pub resting_banner: &'static str,
    pub connect_now: &'static str,
    /// How many messages are still on their way.
    pub slow: fn(usize) -> String,
    pub outdated: &'static str,
    /// Puts a notice away.
    pub put_away: &'static str,
    pub signed_out_banner: &'static str,
    pub sign_in_as: fn(&str) -> String,
    pub create_room: fn(&str) -> String,

    pub error: fn(ErrorCode) -> &'static str,

    /// The day, and today.
    pub day: fn(Day, Day) -> String,
    /// The day without "today", with its year.
    pub full_day: fn(Day) -> String,
    /// The time of day on a dial of twelve hours, 12 before 1, and whether it is before noon. Its parts stay on one line.
    pub halved: fn(&str, bool) -> String,
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
    /// What somebody may type, in the fields.
    pub name_hint: &'static str,
    pub room_hint: &'static str,
    /// Before rooms where people are.
    pub lively: &'static str,
    pub so_many_here: fn(usize) -> String,
    pub free_names: &'static str,
    pub enter_as: fn(&str) -> String,
    pub language: &'static str,
    /// What two people say in the picture beside the form.
    pub talk: [&'static str; 4],
    /// What the part of the page with the picture is called.
    pub about: &'static str,
    /// What is worth knowing before the first message, each with its heading.
    pub facts: [(&'static str, &'static str); 3],
    pub sign_in: &'static str,
    pub theme: &'static str,
    pub theme_name: fn(Theme) -> &'static str,
    /// How much room a message takes.
    pub density: &'static str,
    pub density_name: fn(Density) -> &'static str,
    pub enter_sends: &'static str,
    pub notify: &'static str,
    pub notify_refused: &'static str,
    /// Whether the room on screen may notify.
    pub notify_here: &'static str,
    pub leave: &'static str,

    // What a room's page says by itself, before its script or after it
    pub waits: &'static str,
    pub stopped: &'static str,
    pub stopped_banner: &'static str,
    /// Asked before what was not sent is lost by signing out: of one, and of more, with their number for `#`.
    pub sign_out_unsent: [&'static str; 2],
    pub reload: &'static str,
    pub text_only: &'static str,

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
    pub find_room: &'static str,
    pub rooms_found: fn(usize) -> String,
    pub no_room_called: fn(&str) -> String,
    /// The list is not all there is.
    pub only_latest: &'static str,
    pub back_to: fn(&str) -> String,
    pub last_message: &'static str,
    pub made: &'static str,
    /// Names of people in a room, and how many more.
    pub are_here: fn(&[&str], usize) -> String,
    pub joined: &'static str,
    pub you_left: fn(&str) -> String,
    pub undo: &'static str,

    // Problems
    /// The status, and why.
    pub problem_title: fn(u16, ErrorCode) -> &'static str,
    pub no_such_room: fn(&str) -> String,
    pub try_again: &'static str,
    /// Before the address at which people reach the server.
    pub open_at: &'static str,
    /// Above a message that was posted and could not be taken.
    pub kept: &'static str,
    pub to_room: &'static str,
}

impl Strings {
    /// The time of day: `13:02`, `1:02 PM`, `오후 1:02`; marked where it is not the reader's own.
    pub fn time(&self, at: Local, dial: Dial) -> String {
        let two = |n: u8| [char::from(b'0' + n / 10 % 10), char::from(b'0' + n % 10)].iter().collect::<String>();
        let clock = |hour: String| [&hour, ":", &two(at.minute)].concat();
        let time = if dial.halves {
            let hour = (at.hour + 11) % 12 + 1;
            (self.halved)(&clock(hour.to_string()), at.hour < 12)
        } else {
            clock(two(at.hour))
        };
        if dial.zone.is_empty() { time + " UTC" } else { time }
    }

    /// A moment as a tooltip tells it.
    pub fn full_time(&self, at: Local, dial: Dial) -> String {
        [&(self.full_day)(at.day), " ", &self.time(at, dial)].concat()
    }

    /// A moment in a list: the time today, else the day.
    pub fn brief(&self, at: Local, today: Day, dial: Dial) -> String {
        if at.day == today { self.time(at, dial) } else { (self.day)(at.day, today) }
    }

    /// The number on a badge.
    pub fn badge(count: usize) -> String {
        if count > 99 { "99+".to_owned() } else { count.to_string() }
    }
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
        let dial = Dial { zone: "Europe/Paris", halves: false };
        assert_eq!(en.full_time(Local { day: day(2, 1), hour: 9, minute: 5 }, dial), "Monday, 2 November 2026 09:05");
    }

    #[test]
    fn the_country_decides_how_many_hours_a_day_has() {
        for (lang, cycle, accepted, halves) in [
            (Lang::Ko, None, "ko-KR,ko;q=0.9", true),
            (Lang::Ko, Some("h23"), "ko", true),
            (Lang::En, Some("h12"), "de", true),
            (Lang::En, Some("h23"), "en-US", false),
            (Lang::En, None, "en-US,en;q=0.9", true),
            (Lang::En, None, "en", true),
            (Lang::En, None, "en-GB,en;q=0.9", false),
            (Lang::En, None, "de-DE,de;q=0.9,en-US;q=0.7", false),
            (Lang::En, None, "ko-KR", true),
            (Lang::En, None, "", true),
            (Lang::En, Some("<script>"), "en-gb", false),
        ] {
            assert_eq!(lang.halves(cycle, accepted), halves, "{lang:?} {cycle:?} {accepted}");
        }
    }

    #[test]
    fn times_are_told_as_the_reader_is_used_to() {
        let at = |hour, minute| Local { day: Day { year: 2026, month: 11, day: 2, weekday: 1 }, hour, minute };
        let (ko, en) = (Lang::Ko.strings(), Lang::En.strings());
        let (halves, whole) = (Dial { zone: "UTC", halves: true }, Dial { zone: "UTC", halves: false });
        for (time, told_en, told_ko, told_whole) in [
            (at(0, 5), "12:05\u{a0}AM", "오전\u{a0}12:05", "00:05"),
            (at(9, 30), "9:30\u{a0}AM", "오전\u{a0}9:30", "09:30"),
            (at(12, 0), "12:00\u{a0}PM", "오후\u{a0}12:00", "12:00"),
            (at(13, 2), "1:02\u{a0}PM", "오후\u{a0}1:02", "13:02"),
            (at(23, 59), "11:59\u{a0}PM", "오후\u{a0}11:59", "23:59"),
        ] {
            assert_eq!(en.time(time, halves), told_en);
            assert_eq!(ko.time(time, halves), told_ko);
            assert_eq!((en.time(time, whole).as_str(), ko.time(time, whole).as_str()), (told_whole, told_whole));
        }
        // The reader has to know whose time it is where it is not known to be theirs.
        assert_eq!(en.time(at(13, 2), Dial { zone: "", halves: true }), "1:02\u{a0}PM UTC");
        assert_eq!(
            ko.full_time(at(4, 2), Dial { zone: "", halves: true }),
            "2026년 11월 2일 월요일 오전\u{a0}4:02 UTC"
        );
    }

    #[test]
    fn sentences_say_what_people_know_and_what_is_true() {
        let (ko, en) = (Lang::Ko.strings(), Lang::En.strings());
        let limit = crate::protocol::ROOMS_MAX.to_string();
        for t in [ko, en] {
            assert!((t.error)(ErrorCode::TooManyRooms).contains(&limit), "the limit that there is");
            for code in [ErrorCode::Unavailable, ErrorCode::Internal, ErrorCode::BadFrame, ErrorCode::TooMany] {
                for sentence in [(t.error)(code).to_owned(), (t.not_sent)(code)] {
                    assert!(!sentence.contains("store") && !sentence.contains("저장소"), "{sentence}");
                }
            }
        }
        assert_eq!((ko.more_people)(250), "외 250명");
        assert_ne!(ko.new_from_here, (ko.new_messages)("1"), "the divider is not the button");
        assert_eq!((en.new_messages)(&Strings::badge(1)), "1 new message");
        assert_eq!((en.new_messages)(&Strings::badge(100)), "99+ new messages");
        assert!((en.offline_banner)(1).contains("in 1 second.") && (en.offline_banner)(3).contains("in 3 seconds."));
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
