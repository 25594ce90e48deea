//! Rotations that follow a calendar: what is right of them, and what is said of those that are not.

use secrecy::ExposeSecret as _;

use super::stories::{GOOD, read};
use super::*;

/// A house with one more rotation, which has these keys.
fn with(keys: &str) -> Result<Config, String> {
    read(&format!("{GOOD}\n[[rotation]]\nname = \"net\"\ntime_zone = \"Europe/Oslo\"\n{keys}\n"))
}

fn said(keys: &str) -> String {
    with(keys).map_or_else(|why| why, |_| "nothing".into())
}

#[test]
fn a_rotation_may_follow_an_address_or_a_file() {
    let config = with("calendar = \"webcal://example.net/a.ics\"").unwrap();
    assert!(
        config.rules.rotations["net"].follows_calendar() && !config.rules.rotations["sre"].follows_calendar()
    );
    let feed = &config.feeds["net"];
    assert_eq!((feed.every.as_secs(), feed.stale.as_hours()), (900, 24));
    let FeedPlace::Web { url: Some(url), user: None, private: false, .. } = &feed.at else {
        panic!("{feed:?}")
    };
    assert_eq!(url.expose_secret(), "webcal://example.net/a.ics");
    let keys = "calendar_url = \"https://example.net/a.ics\"\ncalendar_user = \"o\"\ncalendar_password = \"hush\"\n\
                private_addresses = \"allow\"\ncalendar_every = \"5m\"\ncalendar_stale = \"1h\"";
    let feed = with(keys).unwrap().feeds["net"].clone();
    assert_eq!((feed.every.as_secs(), feed.stale.as_hours()), (300, 1));
    assert!(matches!(
        feed.at,
        FeedPlace::Web { user: Some(_), password: Some(_), token: None, private: true, .. }
    ));
    assert!(!format!("{feed:?}").contains("hush"));
    let config = with("calendar = \"file:there-is-none.ics\"").unwrap();
    assert!(matches!(&config.feeds["net"].at, FeedPlace::File(path) if path.ends_with("there-is-none.ics")));
    assert!(
        config.warnings.iter().any(|warning| warning.contains("there is no file")),
        "{:?}",
        config.warnings
    );
}

#[test]
fn what_is_wrong_of_a_calendar_is_told_and_its_address_is_not() {
    let at = "calendar_url = \"https://example.net/hush.ics\"\n";
    for (keys, why) in [
        ("calendar = \"https://maya:hush@example.net/a\"", "do not stand in the address"),
        ("calendar_url = \"ftp://example.net/hush\"", "begins with https://, http:// or webcal://"),
        ("calendar_url = \"/hush.ics\"", "begins with https://"),
        ("calendar = \"https://example.net/hush\"\ncalendar_url = \"https://example.net/hush\"", "not both"),
        (&format!("{at}members = [\"you\"]"), "`members` is said by the calendar"),
        (&format!("{at}start = \"2026-01-01\""), "`start` is said by the calendar"),
        (&format!("{at}hours = [\"08:00-16:00\"]"), "`hours` is said by the calendar"),
        (
            &format!("{at}[[rotation.layers]]\nmembers = [\"you\"]\nstart = \"2026-01-01\""),
            "`layers` is said by the calendar",
        ),
        (&format!("{at}calendar_every = \"1m\""), "`calendar_every` lies between 5m and 24h"),
        (&format!("{at}calendar_stale = \"30 days\""), "`calendar_stale` lies between 15m and 14d"),
        (&format!("{at}calendar_every = \"1h\"\ncalendar_stale = \"30m\""), "always be stale"),
        (&format!("{at}calendar_password = \"hush\""), "goes with `calendar_user`"),
        (&format!("{at}calendar_user = \"o\""), "goes with `calendar_password_file`"),
        (&format!("{at}private_addresses = \"yes\""), "is \"allow\" or \"refuse\""),
        (&format!("{at}calender_every = \"1h\""), "has no key `calender_every`"),
        ("calendar = \"a.ics\"\ncalendar_token = \"hush\"", "the calendar is a file"),
    ] {
        let said = said(keys);
        assert!(said.contains(why), "{keys}: {said}");
        assert!(!said.contains("hush"), "{keys}: {said}");
    }
}

#[test]
fn a_policy_that_names_nobody_but_calendars_is_refused() {
    let calendar = "calendar = \"https://example.net/a.ics\"";
    let policy = |more: &str| {
        format!(
            "{calendar}\n[[escalation]]\nname = \"net\"\nsteps = [{{ page = [\"rotation:net\"] }}]\n{more}"
        )
    };
    assert!(said(&policy("")).contains("escalation policy net names nobody but calendars"));
    assert!(said(&policy("last_resort = [\"everybody:net\"]")).contains("names nobody but calendars"));
    for others in ["rotation:sre", "everybody:sre"] {
        assert_eq!(said(&policy(&format!("last_resort = [\"{others}\"]"))), "nothing");
    }
}
