//! What letters say about command, offices and the board: one sentence each, calm and without blame.

use super::{full_name, voice};
use crate::core::command::{Handover, Office, TWICE};
use crate::core::incident::Incident;
use crate::core::letter::{Letter, News};
use crate::core::rules::Rules;
use crate::core::timeline::Fact;

/// The first sentence of a notice or of a status; `None` where the template has its own.
/// `said`: what was said of statements just now, or became of one.
pub(super) fn sentence(
    news: &str,
    to: &str,
    incident: &Incident,
    rules: &Rules,
    said: Option<&Fact>,
) -> Option<String> {
    let id = format!("INC-{}", incident.id);
    let commander = incident.commander().map(|command| full_name(rules, &command.person));
    let commander = commander.as_deref().unwrap_or("Nobody");
    let news = News::COMMAND.into_iter().find(|known| known.as_str() == news)?;
    Some(match news {
        News::Passed => {
            let term = incident.commander().map_or(0, |command| command.term);
            format!("{commander} has command of {id} from now on (term {term}). Report to {commander}.")
        }
        News::Offered => format!(
            "You are offered command of {id}. Read the brief and accept or decline it on its page; until you accept, {commander} has command."
        ),
        News::OfferWithdrawn => {
            format!("The offer of command of {id} is void. {commander} has command.")
        }
        News::OfferExpired => {
            format!("The offer of command of {id} was not answered in time. {commander} has command.")
        }
        News::OfferDeclined => {
            format!("Command of {id} was offered, and is not taken. {commander} still has command.")
        }
        News::ReliefOrdered => format!(
            "Somebody else is asked to relieve you of command of {id}, by routine. You have command until they accept."
        ),
        News::Wished => {
            let who = incident.offices.wishes.last().map(|person| full_name(rules, person));
            format!(
                "{} is ready to take command of {id}. You have it; offer it on the page if that suits.",
                who.as_deref().unwrap_or("Somebody")
            )
        }
        News::OfficeOffered => {
            let office = office(incident, to).unwrap_or("an officer");
            format!("You are asked to be {office} on {id}. Say yes or no on its page.")
        }
        News::OfficeTaken => format!("{id}: {}.", offices(incident, rules)),
        News::OfficeDeclined => {
            format!(
                "{id}: somebody does not take the office they were asked to take. Until another does, it is yours."
            )
        }
        News::OfficeReleased => {
            format!(
                "{id}: an office has changed hands or was given back. What nobody holds is the Commander's, {commander}."
            )
        }
        News::CheckInDue => format!(
            "You have command of {id}. Are you at a keyboard? Check in on its page; until you do, somebody on scene may take command."
        ),
        News::SizeUpDue => format!(
            "{id} has no size-up yet. In one line: what is it, how big, what is in danger, what do you need?"
        ),
        News::ProgressDue => format!(
            "{id}: how does it go? Better, the same, or worse: one tap on its page is enough. Say there if you need anything."
        ),
        News::Unheard => {
            let term = incident.commander().map_or(0, |command| command.term);
            format!(
                "{commander} has command of {id} (term {term}). Say on its page that you know: one tap is enough."
            )
        }
        News::ReliefDue | News::ReliefLate => relief(news, to, incident, commander),
        News::SupportCalled => support(incident, rules),
        News::Task => format!("You have something to do on {id}: {}.", newest_task(incident)),
        News::TaskEnded => format!("{id}: a task has ended."),
        News::TaskOverdue => {
            format!(
                "{id}: something is not done in its time. Is more time needed, help, or another way? Open: {}.",
                open_tasks(incident, rules)
            )
        }
        News::ContactOverdue => {
            format!("{id}: what an outside body promised has not come. It is time to call them again.")
        }
        News::RequestUnanswered => {
            format!("{id}: nobody has answered the request for more people. Ask again, or for somebody else.")
        }
        News::Freelance => {
            let last = incident.board.actions.last();
            let who = last.map(|action| full_name(rules, &action.person));
            let what = last.map(|action| action.what.as_str()).unwrap_or_default();
            format!(
                "{id}: {} is changing something and was given nothing to do here: {what}. Give them a task, or ask them to stop.",
                who.as_deref().unwrap_or("Somebody")
            )
        }
        News::Stopped => {
            let why = incident.board.stop.as_ref().map(|stop| stop.text.as_str()).unwrap_or_default();
            format!("STOP. Nothing is to be changed on {id} until that is lifted: {why}")
        }
        News::StopLifted => format!("{id}: the stop is lifted. Changes may go on."),
        News::Meeting => match &incident.board.meeting {
            Some(place) => format!("{id}: we meet at {} from now on.", place.text),
            None => format!("{id}: we meet at the usual place again."),
        },
        News::Rest => format!("{id}: rest now, by routine. Check in when you are back."),
        News::Released => format!("{id}: thank you. You may go; you are not waited for any more."),
        News::Span => format!(
            "{id}: more people are on scene than one can lead. Name a Deputy, or give some of them a lead of their own."
        ),
        News::SeverityLowered => {
            format!("{id} is not as bad as it was thought to be: {} now.", incident.severity.as_str())
        }
        news => return voice::sentence(news, &id, incident, rules, said),
    })
}

/// Who takes command over. The Deputy is asked, too, when it is late.
fn relief(news: News, to: &str, incident: &Incident, commander: &str) -> String {
    let id = format!("INC-{}", incident.id);
    let command = incident.commander();
    let is_theirs = command.is_some_and(|command| command.person == to);
    let waits = incident.offices.tenure.as_ref().map(|tenure| match news {
        News::ReliefLate => tenure.relief_late,
        _ => tenure.relief,
    });
    let how_long = match waits.unwrap_or_default().as_mins() {
        60 => "an hour".to_owned(),
        minutes if minutes > 0 && minutes % 60 == 0 => format!("{} hours", minutes / 60),
        minutes if minutes > 0 => format!("{minutes} minutes"),
        _ => "long".to_owned(),
    };
    let others = incident.responders.iter().filter(|known| known.status.is_on_scene());
    let is_alone = !others.clone().any(|known| command.is_none_or(|command| command.person != known.person));
    let next = match (is_theirs, is_alone) {
        (true, false) => {
            "Hand over in two acts: offer command on its page to somebody on scene, and answer what they ask; it is yours until they accept."
        }
        (true, true) => {
            "Nobody else is on scene: ask for somebody on its page (\"Call people\"). When they have checked in, offer them command; it is yours until they accept."
        }
        (false, false) => {
            "If you can take it over, check in and ask for command on its page, or find who can."
        }
        (false, true) => {
            "Nobody else is on scene: check in and ask for command on its page, or ask for somebody who can take it over."
        }
    };
    match (news, is_theirs) {
        (News::ReliefLate, true) => {
            format!(
                "You have commanded {id} for {how_long}. It is time to be relieved, by routine, now. {next}"
            )
        }
        (_, true) => format!("You have commanded {id} for {how_long}. Who relieves you? {next}"),
        (_, false) => {
            format!(
                "{commander} has commanded {id} for {how_long}, and it is time that somebody takes over. {next}"
            )
        }
    }
}

/// Who comes without having been asked for.
fn support(incident: &Incident, rules: &Rules) -> String {
    let id = format!("INC-{}", incident.id);
    let called = incident.board.requests.last().and_then(|request| request.people.first());
    match called.map(|person| full_name(rules, person)) {
        Some(name) => format!(
            "{name} is called to {id} to support you, by rule: whoever is alone on scene for a while gets company. Command stays with you."
        ),
        None => format!(
            "By rule somebody would be called to {id} to support you, and there is nobody left to call. Command stays with you; on its page you can ask for anybody else."
        ),
    }
}

/// What follows the sentence that command has passed: everybody hears when that was too often, and who had it hears what was read
/// back, in a paragraph of its own, because ways that carry little carry the first line.
pub(super) fn handed_over(
    letter: &Letter,
    handover: Option<Handover<'_>>,
    incident: &Incident,
    rules: &Rules,
) -> String {
    let is_of_it = matches!(
        letter,
        Letter::Notice { news: News::Passed, .. } | Letter::Status { news: News::Passed, .. }
    );
    let Some(Handover { entry, from, talked, twice }) = handover.filter(|_| is_of_it) else {
        return String::new();
    };
    let mut said = if twice { format!(" {TWICE}") } else { String::new() };
    let had_it = matches!(letter, Letter::Notice { person, .. } if person == from);
    if had_it && !talked.read_back.is_empty() {
        let read_back = &talked.read_back;
        let who = incident.commander().map(|command| full_name(rules, &command.person));
        let who = who.as_deref().unwrap_or("Who has it");
        said.push_str(&format!(
            "\n\n{who} read back: {read_back}\n\nIf something of it is not right, tell them, and correct entry {entry} on the page."
        ));
    }
    said
}

/// Who holds which office.
fn offices(incident: &Incident, rules: &Rules) -> String {
    let held = Office::ALL.into_iter().filter_map(|office| {
        let holder = incident.offices.holder(office)?;
        Some(format!("{} is {}", full_name(rules, holder), office.title()))
    });
    held.collect::<Vec<_>>().join(", ")
}

fn open_tasks(incident: &Incident, rules: &Rules) -> String {
    let open = incident.board.open_tasks();
    let open = open.map(|task| format!("{}: {}", full_name(rules, &task.person), task.what));
    let open: Vec<String> = open.collect();
    if open.is_empty() { "nothing".to_owned() } else { open.join("; ") }
}

fn newest_task(incident: &Incident) -> &str {
    incident.board.tasks.last().map(|task| task.what.as_str()).unwrap_or("see its page")
}

/// What somebody was asked for who is paged for it.
pub(super) fn request(incident: &Incident, person: &str) -> Option<String> {
    let mut asked = incident.board.requests.iter().rev();
    let request = asked.find(|request| request.people.iter().any(|one| one == person))?;
    (!request.why.is_empty()).then(|| request.why.clone())
}

/// Which office somebody was asked to take.
pub(super) fn office(incident: &Incident, person: &str) -> Option<&'static str> {
    incident.offices.asked_of(person).map(Office::title)
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::core::command::Tenure;
    use crate::core::incident::{Command, CommandReason, Phase};

    #[test]
    fn who_is_asked_for_relief_reads_how_long_and_what_the_next_act_is() {
        let rules = Rules::default();
        let since = Timestamp::UNIX_EPOCH;
        let reason = CommandReason::FirstResponder;
        let command = Command { person: "maya".into(), term: 1, since, reason };
        let mut incident = super::super::samples::incidents().remove(1);
        incident.phase = Phase::Acknowledged { command, sign: None, calls: None };
        let mins = SignedDuration::from_mins;
        for (relief, long) in [(60, "an hour"), (90, "90 minutes"), (240, "4 hours")] {
            incident.offices.tenure = Some(Tenure {
                since,
                relief: mins(relief),
                relief_late: mins(480),
                prompted: None,
                support: SignedDuration::ZERO,
                support_at: None,
                supported: false,
                receipts_at: None,
                unheard: Vec::new(),
            });
            let told = sentence("relief-due", "maya", &incident, &rules, None).unwrap();
            assert!(
                told.starts_with(&format!("You have commanded INC-42 for {long}. Who relieves you?")),
                "{told}"
            );
        }
        let late = |incident: &Incident, to| sentence("relief-late", to, incident, &rules, None).unwrap();
        incident.responders.clear();
        let told = late(&incident, "maya");
        assert!(
            told.contains(
                "for 8 hours. It is time to be relieved, by routine, now. Nobody else is on scene: ask"
            ),
            "{told}"
        );
        let told = late(&incident, "tom");
        assert!(told.starts_with("maya has commanded INC-42 for 8 hours"), "{told}");
        assert!(told.contains("Nobody else is on scene: check in and ask for command"), "{told}");
        // Of a row that does not know for how long.
        incident.offices.tenure = None;
        assert!(late(&incident, "maya").starts_with("You have commanded INC-42 for long."));
        // Who comes by rule, and when nobody is left.
        let told = sentence("support-called", "maya", &incident, &rules, None).unwrap();
        assert!(told.contains("there is nobody left to call. Command stays with you"), "{told}");
    }
}
