//! Inhibition, as Alertmanager's: while one alert fires, others wake nobody that say less.
//!
//! A rule is never asked "which alert fires that fits": that would be a look at all of them. Each alert that fires and fits
//! a source says instead under which words it can be found ([`Rule::offers`]), and one that fits a target under which words
//! to look for it ([`Rule::wants`]). What is kept by these words is the store's affair.

use super::alert::Event;
use super::matcher::Matcher;
use super::route;

/// What ties the parts of words together, each with its length before it, so that none can be taken for two.
const BETWEEN: char = '\u{1f}';

/// While an alert fires that fits the source, one that fits the target wakes nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// All of them must fit the alert that inhibits.
    pub source: Vec<Matcher>,
    /// All of them must fit the alert that is inhibited.
    pub target: Vec<Matcher>,
    /// Labels of which both have the same values; one that neither has is the same.
    pub equal: Vec<String>,
}

/// An alert as rules see it: after routes.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The source's name.
    pub source: &'a str,
    /// The service it is about.
    pub service: &'a str,
    /// What it says.
    pub event: &'a Event,
}

impl<'a> Sight<'a> {
    /// What a matcher sees under a name: what routes see, and the service.
    fn value(self, name: &str) -> &'a str {
        route::seen(self.source, self.service, self.event, name)
    }

    fn fits(self, matchers: &[Matcher]) -> bool {
        matchers.iter().all(|matcher| matcher.fits(self.value(&matcher.name)))
    }
}

impl Rule {
    /// What tells it from other rules, wherever it stands in the configuration.
    pub fn words(&self) -> String {
        let mut words = String::new();
        for side in [&self.source, &self.target] {
            side.iter().for_each(|matcher| add(&mut words, &matcher.to_string()));
            words.push(BETWEEN);
        }
        self.equal.iter().for_each(|name| add(&mut words, name));
        words
    }

    /// Whether an alert that fires may keep others quiet.
    pub fn is_source(&self, seen: Sight<'_>) -> bool {
        seen.fits(&self.source)
    }

    /// Whether an alert may be kept quiet by others.
    pub fn is_target(&self, seen: Sight<'_>) -> bool {
        seen.fits(&self.target)
    }

    /// Under which words an alert that fires is found by those it inhibits; none when it inhibits nothing. One that fits the
    /// target too is not found by those that do so themselves: else two such alerts would keep each other quiet for ever.
    pub fn offers(&self, seen: Sight<'_>) -> Vec<String> {
        if !seen.fits(&self.source) {
            return Vec::new();
        }
        let mut all = vec![self.place(seen, false)];
        if !seen.fits(&self.target) {
            all.push(self.place(seen, true));
        }
        all
    }

    /// Under which words an alert finds one that inhibits it; none when nothing does.
    pub fn wants(&self, seen: Sight<'_>) -> Option<String> {
        seen.fits(&self.target).then(|| self.place(seen, seen.fits(&self.source)))
    }

    fn place(&self, seen: Sight<'_>, two_sided: bool) -> String {
        let mut words = self.words();
        words.push(BETWEEN);
        self.equal.iter().for_each(|name| add(&mut words, seen.value(name)));
        words.push_str(if two_sided { "both" } else { "one" });
        words
    }
}

fn add(words: &mut String, part: &str) {
    words.push_str(&format!("{}{BETWEEN}{part}{BETWEEN}", part.len()));
}

#[cfg(test)]
mod tests {
    use super::super::alert::Status;
    use super::super::matcher::read_all;
    use super::*;

    fn rule(source: &str, target: &str, equal: &[&str]) -> Rule {
        Rule {
            source: read_all(source).unwrap(),
            target: read_all(target).unwrap(),
            equal: equal.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn event(labels: &[(&str, &str)]) -> Event {
        let mut event = Event::new("k", Status::Firing, "t");
        event.labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        event
    }

    /// Whether one alert keeps another quiet.
    fn inhibits(rule: &Rule, source: &[(&str, &str)], target: &[(&str, &str)]) -> bool {
        let (source, target) = (event(source), event(target));
        let sight = |event| Sight { source: "prom", service: "shop", event };
        let wanted = rule.wants(sight(&target));
        wanted.is_some_and(|wanted| rule.offers(sight(&source)).contains(&wanted))
    }

    #[test]
    fn a_worse_alert_of_the_same_cluster_keeps_others_quiet() {
        let rule = rule("severity=\"critical\"", "severity=~\"warning|info\"", &["cluster", "alertname"]);
        let critical = [("severity", "critical"), ("cluster", "a"), ("alertname", "Down")];
        let warning = |cluster| [("severity", "warning"), ("cluster", cluster), ("alertname", "Down")];
        assert!(inhibits(&rule, &critical, &warning("a")));
        assert!(!inhibits(&rule, &critical, &warning("b")));
        assert!(!inhibits(&rule, &warning("a"), &warning("a")));
        assert!(!inhibits(&rule, &critical, &critical));
    }

    #[test]
    fn a_label_that_neither_has_is_the_same_and_so_is_an_empty_one() {
        let rule = rule("severity=\"critical\"", "severity=\"warning\"", &["cluster"]);
        let critical = [("severity", "critical")];
        assert!(inhibits(&rule, &critical, &[("severity", "warning")]));
        assert!(inhibits(&rule, &critical, &[("severity", "warning"), ("cluster", "")]));
        assert!(!inhibits(&rule, &critical, &[("severity", "warning"), ("cluster", "a")]));
    }

    #[test]
    fn an_alert_that_fits_both_sides_inhibits_only_those_that_do_not() {
        let rule = rule("job=\"x\"", "job=~\"x|y\"", &[]);
        assert!(!inhibits(&rule, &[("job", "x")], &[("job", "x")]));
        assert!(inhibits(&rule, &[("job", "x")], &[("job", "y")]));
        // One that fits the source alone inhibits both.
        let rule = self::rule("job=~\"x|z\"", "job=~\"x|y\"", &[]);
        assert!(inhibits(&rule, &[("job", "z")], &[("job", "x")]));
        assert!(inhibits(&rule, &[("job", "z")], &[("job", "y")]));
    }

    #[test]
    fn rules_see_what_routes_see_and_the_service() {
        let rule = rule("source=\"prom\", service=\"shop\"", "title=\"t\"", &["service", "source"]);
        assert!(rule.is_source(Sight { source: "prom", service: "shop", event: &event(&[]) }));
        assert!(!rule.is_source(Sight { source: "prom", service: "blog", event: &event(&[]) }));
    }

    #[test]
    fn no_value_can_be_taken_for_two() {
        let rule = rule("a=\"\"", "a=\"\"", &["x", "y"]);
        let place = |x: &str, y: &str| {
            rule.wants(Sight { source: "", service: "", event: &event(&[("x", x), ("y", y)]) }).unwrap()
        };
        assert_ne!(place("1\u{1f}1\u{1f}1", ""), place("1", "1"));
        assert_ne!(place("\u{1f}0", ""), place("", "\u{1f}0"));
        assert_ne!(rule.words(), self::rule("a=\"\"", "a=\"\"", &["y", "x"]).words());
    }
}
