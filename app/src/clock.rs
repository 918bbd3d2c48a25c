//! A moment in the reader's time zone. The server knows the zone from a cookie and uses the time zone database; the
//! browser asks its own `Date`.

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

/// The wall clock at `at` (milliseconds since 1970-01-01 UTC) where the browser is; the zone's name is not needed there.
#[cfg(all(feature = "hydrate", not(feature = "ssr")))]
pub fn local(at: u64, _zone: &str) -> Local {
    // A timestamp in milliseconds stays below 2^53 for 285,000 years.
    #[allow(clippy::cast_precision_loss)]
    let date = js_sys::Date::new(&(at as f64).into());
    let small = |n: u32| u8::try_from(n).unwrap_or(0);
    Local {
        day: Day {
            year: i16::try_from(date.get_full_year()).unwrap_or(i16::MAX),
            month: small(date.get_month() + 1),
            day: small(date.get_date()),
            weekday: small(date.get_day()),
        },
        hour: small(date.get_hours()),
        minute: small(date.get_minutes()),
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_the_readers_not_utc() {
        let at = 1_795_392_000_000 - 60_000; // 2026-11-22T23:59Z
        assert_eq!(local(at, "UTC").day.day, 22);
        let seoul = local(at, "Asia/Seoul");
        assert_eq!((seoul.day.day, seoul.day.weekday, seoul.hour, seoul.minute), (23, 1, 8, 59));
        assert_eq!(local(at, "Not/AZone"), local(at, "UTC"));
    }
}
