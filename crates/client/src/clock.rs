//! Days and times of day. What they are in a time zone is for those to say who know it.

/// A calendar day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day {
    pub year: i16,
    /// 1 to 12
    pub month: u8,
    /// 1 to 31
    pub day: u8,
    /// 0 is Sunday.
    pub weekday: u8,
}

/// A day and a time of day, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Local {
    pub day: Day,
    pub hour: u8,
    pub minute: u8,
}

/// Milliseconds.
pub const MINUTE: u64 = 60_000;
pub const DAY: u64 = 24 * 60 * MINUTE;

impl Day {
    /// Days since 1970-01-01, so that "yesterday" is a subtraction.
    pub fn number(self) -> i64 {
        // Counting years from March puts the leap day at a year's end, where it moves no other month.
        let (year, month) = match (i64::from(self.year), i64::from(self.month)) {
            (year, month @ 3..) => (year, month - 3),
            (year, month) => (year - 1, month + 9),
        };
        let of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468
    }

    /// How many days `self` is before `today`; negative if it is after.
    pub fn days_before(self, today: Self) -> i64 {
        today.number() - self.number()
    }
}

/// The wall clock in Greenwich at `at` (milliseconds since 1970-01-01 UTC).
pub fn utc(at: u64) -> Local {
    let days = i64::try_from(at / DAY).unwrap_or(0);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let small = |n: i64| u8::try_from(n).unwrap_or(0);
    let minutes = at % DAY / MINUTE;
    Local {
        day: Day {
            year: i16::try_from(era * 400 + year_of_era + carry).unwrap_or(i16::MAX),
            month: small(month),
            day: small(day),
            weekday: small((days + 4).rem_euclid(7)),
        },
        hour: u8::try_from(minutes / 60).unwrap_or(0),
        minute: u8::try_from(minutes % 60).unwrap_or(0),
    }
}

/// `at` as the `datetime` of a `<time>`: `2026-11-22T14:02Z`.
pub fn machine(at: u64) -> String {
    let Local { day, hour, minute } = utc(at);
    format!("{:04}-{:02}-{:02}T{hour:02}:{minute:02}Z", day.year, day.month, day.day)
}
