//! How a reader is told the time.

#[cfg(feature = "ssr")]
use crate::client::clock::{Day, Local};

/// How a reader tells the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dial<'a> {
    /// IANA name of the time zone; empty where nobody knows it, and told as UTC.
    pub zone: &'a str,
    /// Twice twelve hours, or 24.
    pub halves: bool,
}

/// Whether the time zone database has `zone`.
#[cfg(feature = "ssr")]
pub fn is_zone(zone: &str) -> bool {
    jiff::tz::TimeZone::get(zone).is_ok()
}

/// The wall clock at `at` (milliseconds since 1970-01-01 UTC) in the IANA time zone `zone`; UTC if there is no such zone.
#[cfg(feature = "ssr")]
pub fn local(at: u64, zone: &str) -> Local {
    let timestamp = jiff::Timestamp::from_millisecond(i64::try_from(at).unwrap_or(i64::MAX)).unwrap_or_default();
    let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let at = zone.to_datetime(timestamp);
    let small = |n: i8| u8::try_from(n).unwrap_or(0);
    Local {
        day: Day {
            year: at.year(),
            month: small(at.month()),
            day: small(at.day()),
            weekday: small(at.weekday().to_sunday_zero_offset()),
        },
        hour: small(at.hour()),
        minute: small(at.minute()),
    }
}

#[cfg(test)]
#[cfg(feature = "ssr")]
mod tests {
    use super::*;
    use crate::client::clock::{DAY, machine, utc};
    use proptest::prelude::*;

    #[test]
    fn the_day_is_the_readers_not_utc() {
        let at = 1_795_392_000_000 - 60_000; // 2026-11-22T23:59Z
        assert_eq!(local(at, "UTC").day.day, 22);
        let seoul = local(at, "Asia/Seoul");
        assert_eq!((seoul.day.day, seoul.day.weekday, seoul.hour, seoul.minute), (23, 1, 8, 59));
        assert_eq!(local(at, "Not/AZone"), local(at, "UTC"));
        assert_eq!(machine(at), "2026-11-22T23:59Z");
    }

    proptest! {
        #[test]
        fn the_calendar_agrees_with_the_time_zone_database(at in 0_u64..7_000_000_000_000) {
            prop_assert_eq!(utc(at), local(at, "UTC"));
            prop_assert_eq!(utc(at).day.number(), i64::try_from(at / DAY).unwrap());
        }
    }
}
