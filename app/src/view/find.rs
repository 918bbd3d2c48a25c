//! Which rooms a few letters mean.

use super::chat::SidebarRoom;
use crate::domain::RoomKey;

/// Those of `rooms` that `typed` may mean: what is unread comes first, the room that is `open` last.
pub fn choices(rooms: &[SidebarRoom], open: &RoomKey, typed: &str) -> Vec<SidebarRoom> {
    let wanted = letters(typed.trim());
    let place = |line: &SidebarRoom| if line.room.key == *open { 2 } else { u8::from(line.unread == 0) };
    let mut found = Vec::new();
    for at in 0..3 {
        let here = |line: &&SidebarRoom| place(line) == at && fits(line.room.name.as_str(), &wanted);
        found.extend(rooms.iter().filter(here).cloned());
    }
    found
}

/// Whether the letters stand somewhere in the name. A Korean consonant alone stands for every syllable it begins.
fn fits(name: &str, wanted: &[char]) -> bool {
    let name = letters(name);
    let same = |(have, want): (&char, &char)| have == want || initial(*have) == Some(*want);
    wanted.is_empty() || name.windows(wanted.len()).any(|part| part.iter().zip(wanted).all(same))
}

fn letters(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The consonant that a Hangul syllable begins with, as the keyboard writes it.
fn initial(syllable: char) -> Option<char> {
    const INITIALS: [char; 19] = [
        'ㄱ', 'ㄲ', 'ㄴ', 'ㄷ', 'ㄸ', 'ㄹ', 'ㅁ', 'ㅂ', 'ㅃ', 'ㅅ', 'ㅆ', 'ㅇ', 'ㅈ', 'ㅉ', 'ㅊ', 'ㅋ', 'ㅌ', 'ㅍ',
        'ㅎ',
    ];
    let nth = u32::from(syllable).checked_sub(u32::from('가'))? / 588;
    INITIALS.get(usize::try_from(nth).ok()?).copied()
}

#[cfg(test)]
#[cfg(feature = "ssr")]
mod tests {
    use super::*;
    use crate::{domain::RoomName, page::RoomRef};

    fn line(name: &str, unread: usize) -> SidebarRoom {
        let name = RoomName::parse(name).unwrap();
        SidebarRoom { room: RoomRef { key: name.key(), name }, unread }
    }

    fn found(typed: &str) -> Vec<String> {
        let rooms = [line("디자인 리뷰", 0), line("Random", 0), line("점심", 3), line("random 2", 1)];
        let open = RoomName::parse("디자인 리뷰").unwrap().key();
        choices(&rooms, &open, typed).into_iter().map(|line| line.room.name.as_str().to_owned()).collect()
    }

    #[test]
    fn unread_rooms_come_first_and_the_open_one_last() {
        assert_eq!(found(" "), ["점심", "random 2", "Random", "디자인 리뷰"]);
    }

    #[test]
    fn letters_are_found_anywhere_in_either_case() {
        assert_eq!(found("RAN"), ["random 2", "Random"]);
        assert_eq!(found("리뷰"), ["디자인 리뷰"]);
        assert!(found("x").is_empty() && found("randomly").is_empty());
    }

    #[test]
    fn korean_consonants_are_enough() {
        assert_eq!(found("ㄷㅈㅇ"), ["디자인 리뷰"]);
        assert_eq!(found("디자ㅇ"), ["디자인 리뷰"]);
        assert_eq!(found("ㅈㅅ"), ["점심"]);
        assert_eq!((initial('가'), initial('힣'), initial('a'), initial('힤')), (Some('ㄱ'), Some('ㅎ'), None, None));
    }
}
