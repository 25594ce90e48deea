//! What letters say about command, offices and the board: one sentence each, calm and without blame.

use super::full_name;
use crate::core::command::{Handover, Office, TWICE};
use crate::core::incident::Incident;
use crate::core::letter::{Letter, News};
use crate::core::rules::Rules;

/// The first sentence of a notice or of a status; `None` where the template has its own.
pub(super) fn sentence(news: &str, to: &str, incident: &Incident, rules: &Rules) -> Option<String> {
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
        _ => return None,
    })
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
