//! ICS-214, the activity log: of one person, or of all.

use super::document::{Document, Section, hour};
use super::taken::{ROW, Taken, all_about, from_to};

/// What it is.
const WHAT: &str = "ICS-214, Activity Log. Facts are those of the timeline; hours are UTC.";

/// Fills it; `person`: of whom, or of all. `None`: the timeline does not name them.
pub(super) fn fill(taken: &Taken<'_>, person: Option<&str>) -> Option<Document> {
    let ours = |of: &str| person.is_none_or(|person| person == of);
    let about = person.map(|person| all_about(taken.entries, person));
    if about.as_ref().map_or(taken.entries.is_empty(), std::collections::BTreeSet::is_empty) {
        return None;
    }
    let concerned = |entry| about.as_ref().is_none_or(|about| about.contains(&entry));
    let tenures = taken.tenures().into_iter().filter(|one| ours(&one.person));
    let mut positions: Vec<String> = tenures
        .map(|one| format!("{}: Commander (term {}), {}", one.person, one.term, from_to(one.from, one.to)))
        .collect();
    let posts = taken.posts().into_iter().filter(|one| ours(&one.person));
    positions.extend(
        posts.map(|one| format!("{}: {}, {}", one.person, one.office.title(), from_to(one.from, one.to))),
    );
    let resources =
        taken.incident.responders.iter().filter(|one| ours(&one.person)).map(|one| {
            vec![taken.person(&one.person), one.status.as_str().replace('_', " "), hour(one.since)]
        });
    let rows = taken.notable().filter(|kept| concerned(kept.entry.seq)).map(|kept| taken.row(kept)).collect();
    let name = person.map_or_else(|| "everybody on the incident".to_owned(), |person| taken.person(person));
    let title = match person {
        Some(person) => format!("Activity log of {person}: {}", taken.name()),
        None => format!("Activity log: {}", taken.name()),
    };
    let document = Document::new("ics-214", taken.incident.id, (taken.at, taken.by), title, WHAT);
    let document = taken
        .begun(document)
        .with(Section::new("1. Incident name").text(taken.name() + &taken.later.beside(1)))
        .with(Section::new("2. Operational period").text(taken.period()))
        .with(Section::new("3. Name").text(name))
        .with(Section::new("4. ICS position").list(positions, "No office was held."))
        .with(Section::new("5. Home agency and unit").to_fill_in("onscene does not know of teams"))
        .with(Section::new("6. Resources assigned").table(
            &["Name", "Status", "Since (UTC)"],
            resources.collect(),
            "Nobody.",
        ))
        .with(Section::new("7. Activity log").table(&ROW, rows, "Nothing notable."))
        .with(Section::new("8. Prepared by").text(taken.prepared()));
    Some(document)
}
