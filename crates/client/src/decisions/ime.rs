//! Enter while an input method is composing.
//!
//! The last syllable of a Korean text is always composing, so one Enter has to be enough: it *arms* one send, which
//! fires a macrotask after the composition ended, with the text as it is then. Browsers deliver that Enter as key code
//! 229, as a plain one before the composition ends, or as both; the others are swallowed. In Chinese and Japanese the
//! composing Enter chooses a candidate and never sends.

/// What the composer knows about the input method.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ime {
    composing: bool,
    /// Whether the latest composition is, or was, of a Hangul syllable.
    hangul: bool,
    armed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnterMeans {
    /// The browser and the input method do what they do.
    Leave,
    /// Nothing happens now.
    Swallow,
    Send,
    /// A macrotask from now; see [`Ime::fire`].
    SendSoon,
}

impl Ime {
    pub fn composing(self) -> bool {
        self.composing
    }

    pub fn start(&mut self) {
        *self = Self { composing: true, ..Self::default() };
    }

    pub fn update(&mut self, data: &str) {
        self.composing = true;
        if let Some(last) = data.chars().next_back() {
            self.hangul = matches!(last, '\u{1100}'..='\u{11FF}' | '\u{3131}'..='\u{318E}' | '가'..='힣');
        }
    }

    /// Whether a send is to fire a macrotask from now.
    pub fn end(&mut self) -> bool {
        self.composing = false;
        self.armed
    }

    /// Arms a send by other means than Enter; whether it has to wait for the composition to end.
    pub fn arm(&mut self) -> bool {
        self.armed = self.composing;
        self.composing
    }

    /// Takes the armed send, if it is still there.
    pub fn fire(&mut self) -> bool {
        !self.composing && std::mem::take(&mut self.armed)
    }

    /// An Enter that is to send. `composing`: its `isComposing`, or key code 229.
    pub fn enter(&mut self, composing: bool) -> EnterMeans {
        if self.armed {
            return EnterMeans::Swallow;
        }
        if !self.composing && !composing {
            return EnterMeans::Send;
        }
        if !self.hangul {
            return EnterMeans::Leave;
        }
        self.armed = true;
        // Safari ends the composition first and reports 229 after it.
        if self.composing { EnterMeans::Swallow } else { EnterMeans::SendSoon }
    }
}

/// Whether this Enter breaks the line: with Shift, and where Enter does not send; with Ctrl or Cmd it always sends.
pub fn breaks_line(shift: bool, ctrl: bool, enter_breaks: bool) -> bool {
    !ctrl && (shift || enter_breaks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: bool = false;
    const COMPOSING: bool = true;

    fn typed(data: &str) -> Ime {
        let mut ime = Ime::default();
        ime.start();
        ime.update(data);
        ime
    }

    #[test]
    fn one_enter_sends_korean_once_in_every_order_browsers_report_it() {
        // 229, end, plain
        let mut ime = typed("녕");
        assert_eq!(ime.enter(COMPOSING), EnterMeans::Swallow);
        assert!(ime.end());
        assert_eq!(ime.enter(PLAIN), EnterMeans::Swallow);
        assert!(ime.fire());
        assert!(!ime.fire());
        // plain before the end, twice
        let mut ime = typed("ㅋ");
        assert_eq!(ime.enter(PLAIN), EnterMeans::Swallow);
        assert_eq!(ime.enter(PLAIN), EnterMeans::Swallow);
        assert!(ime.end() && ime.fire() && !ime.fire());
        // end, then 229
        let mut ime = typed("녕");
        assert!(!ime.end());
        assert_eq!(ime.enter(COMPOSING), EnterMeans::SendSoon);
        assert!(ime.fire() && !ime.fire());
    }

    #[test]
    fn the_enter_that_chooses_a_candidate_never_sends() {
        for data in ["你好", "さくら", "桜"] {
            let mut ime = typed(data);
            assert_eq!(ime.enter(COMPOSING), EnterMeans::Leave);
            assert!(!ime.end());
            assert_eq!(ime.enter(COMPOSING), EnterMeans::Leave, "Safari reports it after the end");
            assert_eq!(ime.enter(PLAIN), EnterMeans::Send);
        }
    }

    #[test]
    fn shift_and_the_setting_break_the_line_and_ctrl_always_sends() {
        assert!(breaks_line(true, false, false) && breaks_line(false, false, true));
        assert!(!breaks_line(false, false, false));
        assert!(!breaks_line(false, true, true) && !breaks_line(true, true, false));
        assert_eq!(Ime::default().enter(PLAIN), EnterMeans::Send);
    }

    #[test]
    fn the_button_waits_for_the_composition_to_end() {
        let mut ime = typed("你");
        assert!(ime.composing() && ime.arm() && !ime.fire());
        assert!(ime.end() && ime.fire() && !ime.fire());
        assert!(!ime.arm() && !ime.composing());
    }

    #[test]
    fn a_new_composition_forgets_what_was_armed() {
        let mut ime = typed("녕");
        ime.enter(COMPOSING);
        ime.start();
        assert!(!ime.end());
    }
}
