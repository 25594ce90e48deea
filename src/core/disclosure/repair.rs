//! When it will be over: what nobody knows, and everybody reads as a promise.
//!
//! What is told of the past is free ("by 14:40 UTC all had recovered"), and so is the sentence that promises the next
//! update, as it is printed.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::Rule;
use super::pattern::{Look, Pattern, expression};

const REPAIR: &str = "This reads as a promise of when it is over: say when the next update comes, in its own sentence, and nothing else.";

const fn repair(source: &'static str) -> Pattern {
    Pattern::new(Rule::Repair, source, REPAIR)
}

macro_rules! number {
    () => {
        r"(?:[0-9]+(?:[.,/][0-9]+)?|an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|forty|forty ?five|sixty|ninety|half an?|a few|few|a couple of|couple of|several|some|a handful of|the next few)"
    };
}
macro_rules! unit {
    () => {
        r"(?:secs?|seconds?|mins?|minutes?|hrs?|hours?|h|days?|weeks?|minuten?|stunden?)"
    };
}
macro_rules! about {
    () => {
        r"(?:(?:the (?:next|coming)|about|around|roughly|approximately|approx\.?|circa|ca\.?|maybe|perhaps|probably|less than|under|at most|at least|another|just|only|no more than|not more than|up to|well under|as little as|as few as|max\.?|maximum)[ \n]?~?|~[ \n]?)"
    };
}
macro_rules! clock {
    () => {
        r"(?:[0-2]?[0-9](?:[:.h][0-5][0-9](?::[0-5][0-9])?|[ \n]?(?:am|pm|a\.m\.?|p\.m\.?|o'?clock|uhr|h)\b)(?:[ \n]?(?:utc|gmt|cet|cest|est|edt|pst)\b)?|[0-2][0-9][0-5][0-9] ?(?:utc|gmt|z|cet|cest|est|edt|pst|hours|hrs)\b|(?:noon|midday|midnight)\b)"
    };
}
macro_rules! later {
    () => {
        r"(?:lunch(?: ?time)?|dinner(?: ?time)?|breakfast|tea ?time|(?:the )?end of play|(?:the )?top of the hour|sunset|sunrise|nightfall|tonight|tomorrow|mon(?:day)?|tue(?:sday)?|wed(?:nesday)?|thu(?:rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?|(?:the )?end of (?:the |this |our )?(?:business )?(?:day|hour|week|morning|afternoon|evening|shift)|eod|eob|cob|close of (?:business|play)|(?:this|late|later this|early|tomorrow) (?:morning|afternoon|evening)|morning|evening|dawn|then end of today|today)\b"
    };
}

pub(super) const PATTERNS: &[Pattern] = &[
    repair(concat!(r"\b(?:in|within|inside(?: of)?|under|over) (?:", about!(), " ?)*", number!(), r"(?: ?(?:-|to|or|and|bis) ?", number!(), r")?(?: ?(?:more|further|short|additional|business|working))? ?", unit!(), r"\b"))
        .when(|look, span| !told(look, span) && !is_an_ordinal(look, span) && !past_window(look, span)),
    repair(r"\b(?:within|inside|in(?:side)?|before|by|over) (?:the|this|an?|our) (?:next |coming |end of the )?(?:hour|half ?hour|day|week|minute|moment|afternoon|evening|morning|few (?:minutes|hours|days|moments))\b")
        .when(|look, span| !told(look, span) && !morning(look, span)),
    repair(r"\b(?:within|in) (?:a matter of )?(?:just )?(?:minutes|seconds|hours|days|moments)\b").when(|look, span| !told(look, span) && !look.after(span).trim_start().to_lowercase().starts_with("of")),
    repair(r"\bin (?:a (?:moment|bit|little while|short while|while|jiffy|flash|sec|minute|second|few)|no time|due course|short order|the (?:near|immediate) future|the (?:next|coming) (?:minutes|hours|days|moments))\b")
        .when(|look, span| !told(look, span) && !is_an_ordinal(look, span)),
    repair(concat!(r"\b(?:by|before|until|till|til|no later than|not later than|at the latest|latest|eta:?|etr:?|due(?: at| by)?|around|about|at|from|after|towards?|for|ready(?: at| by)?)(?: (?:about|around|approximately|approx\.?|roughly|ca\.?|at the latest|latest|say|probably|maybe)){0,2}:? ?~?", clock!())).when(is_promised),
    repair(concat!(r"\b(?:by|before|until|no later than|not later than|eta:?|sometime|some time|around|latest)(?: (?:about|around|approximately|roughly|the latest))? ", later!())).when(is_promised),
    repair(r"\b(?:today|tonight|tomorrow|overnight|later (?:today|this (?:week|morning|afternoon|evening))|(?:this|next) (?:morning|afternoon|evening|week)|over the weekend|first thing)\b").when(expected),
    repair(r"\b(?:soon|shortly|momentarily|imminent(?:ly)?|presently)\b").when(is_near),
    repair(r"\b(?:any (?:minute|moment|second|hour|time|day) ?now|any (?:minute|moment|second)|before (?:very )?long|(?:seconds|minutes|hours|moments) away|(?:a |just a )?(?:matter|question) of (?:(?:an?|one|two|three|a few|several|some) )?(?:seconds?|minutes?|hours?|days?|moments?|time)|(?:almost|nearly) (?:there|done|fixed|back|ready|finished|complete|over|restored|resolved)|hours,? (?:and )?not days|minutes,? (?:and )?not hours|end (?:is )?in sight|not (?:be |last |take )?(?:very |much |too )?long(?:er)?(?: now)?|before you know it|give us (?:until|till)|won't (?:be|take) (?:much )?long(?:er)?|(?:right )?around the corner|very little time|a quick fix|quick turnaround|in the home stretch|close to (?:a fix|being (?:fixed|done|resolved)|resolving|restoring|fixing)|home stretch|on track (?:for|to)|light at the end)\b").when(|look, span| !told(look, span)),
    repair(r"\b(?:eta|e\.t\.a|etr|ettr|mttr|estimated (?:time|repair|restoration)(?: (?:to|of|for|until) (?:repair|fix|resolution|recovery|restor\w+|completion|resolve|recover|arrival))?|time to (?:repair|fix|resolve|recovery|restore|resolution)|(?:expected|estimated|anticipated|projected|remaining) (?:down ?time|duration|fix|resolution|recovery|completion|outage|restoration|repair|wait)(?: time)?|repair time|(?:resolution|recovery|restoration|completion|fix) (?:time|estimate|target)(?: (?:is|of)|\s?[:=]))(?:\b|[\s])")
        .when(|look, span| !refused(look.sentence_before(span)) && !refused(look.sentence_after(span))),
    repair(concat!(r"\b(?:another ", number!(), "|", number!(), r" (?:more|further|additional|extra)) ?", unit!(), r"\b")).when(|look, span| !told(look, span)),
    repair(concat!(r"\b(?:take|takes|taking|need|needs|require|requires|last|lasts|give us|allow|spend|wait)(?: (?:us|them|me|it))?(?: ", about!(), r")* ?", number!(), r"(?: ?(?:-|to|or) ?", number!(), r")?(?: (?:more|further|additional|extra))? ?", unit!(), r"\b")).when(|look, span| !told(look, span) && !is_compared(look, span) && !is_an_ordinal(look, span)),
    repair(concat!(r"\b", number!(), " ?", unit!(), r" (?:from now|away|left|remaining|to go|more|max(?:imum)?|tops|at (?:the )?most|or less|or so|until (?:it|we|every|full|all|normal|service))\b")).when(|look, span| !told(look, span) && !look.after(span).trim_start().starts_with("than")),
    // Hours that are said without a clock: "by half past three", "by 3", "in thirty".
    repair(concat!(r"\b(?:by|before|until|till|at|around|about|from|towards?)(?: (?:about|around))? (?:a )?(?:half|quarter|(?:five|ten|twenty|twenty ?five)(?: minutes)?) (?:past|to|after|before) ", number!(), r"\b")).when(|look, span| !told(look, span)),
    repair(concat!(r"\b(?:by|before|until|till|around) (?:", number!(), r"|[0-2][0-9][0-5][0-9])\b")).when(|look, span| ends_a_thought(look, span) && expected(look, span)),
    repair(concat!(r"\b(?:in|within) ", number!(), r"\b")).when(|look, span| ends_a_thought(look, span) && expected(look, span)),
    repair(concat!(r"\bt ?(?:-|minus) ?", number!(), " ?", unit!(), r"\b")),
    repair(concat!(r"\b(?:aim(?:ing|s)?|target(?:ing)?|shoot(?:ing)?) (?:for|at) (?:(?:about|around) )?", clock!())),
    repair(concat!(r"\b(?:back(?: (?:up|online|again))?|again|expected(?: back)?)(?: (?:from|on|at|by))?\s?:?[\s]~?", clock!())).when(|look, span| !told(look, span)),
    // German.
    repair(r"\b(?:in|innerhalb|binnen)(?: (?:etwa|ca\.?|rund|wenigen|den|nachsten|kommenden|kurzester|einer|einem|weniger|der|von|spatestens|ungefahr|circa|knapp|gut|paar|ein|zirka)){0,4} ?(?:[0-9]+|zehn|funf|zwanzig|dreissig|zwei|drei|vier|halben?|viertel)? ?(?:minuten?|stunden?|viertelstunde|tagen?|augenblick\w{0,3}|zeit|kurze)\b").when(|look, span| !german_past(look, span)),
    repair(r"\b(?:bis|ab|gegen|vor)(?: (?:etwa|ca\.?|spatestens|ungefahr|heute|morgen|um|zirka)){0,3} ?(?:[0-2]?[0-9][:.][0-5][0-9]|[0-2]?[0-9](?: uhr| h)|mittag|mitternacht|abend|morgen|heute abend|tagesende|ende (?:der woche|des tages))\b").when(|look, span| !german_range(look, span)),
    repair(r"\b(?:in kurze|in kuerze|bald|demnachst|alsbald|spatestens (?:um|bis|in|heute|morgen)|jeden (?:moment|augenblick)|gleich wieder|noch heute|im laufe (?:des|der)(?: nachsten| kommenden)? (?:tag\w*|nachmittag\w*|abend\w*|vormittag\w*|stunden?|woche))\b")
        .when(|look, span| !look.after(span).trim_start().to_lowercase().starts_with("wie ") && !look.before(span).trim_end().to_lowercase().ends_with("so")),
    repair(r"\bum (?:etwa |ca\.? |rund )?(?:(?:halb|viertel(?: (?:vor|nach))?) [a-z]+|[0-2]?[0-9](?:[:.][0-5][0-9])?(?: uhr)?)\b").when(|look, span| will_be(look, span) && !german_past(look, span)),
    // Norwegian.
    repair(r"\b(?:kl\.?|klokk[ae]n?)[\s](?:ca\.? )?(?:halv [a-z]+|[0-2]?[0-9](?:[:.][0-5][0-9])?)\b").when(|look, span| {
        let text = format!(" {} {} ", look.sentence_before(span), look.sentence_after(span)).to_lowercase();
        [" tilbake", " vil ", " skal ", " igjen", " lost "].iter().any(|word| text.contains(word))
            && ![" var ", " ble ", " startet", " begynte", " har "].iter().any(|word| text.contains(word))
            && !text.contains("oppdatering")
    }),
    repair(r"\b(?:om|innen|i lopet av|pa)(?: (?:ca\.?|cirka|rundt|noen|noen fa|et par|en|ei|et|de neste|neste|den neste|dagen|omtrent|under)){0,3} ?(?:[0-9]+|ti|tjue|tretti|halv)? ?(?:minutter|minutt|timer?|timen|dager|dagen|ettermiddagen|kvelden|natten|halvtime|kvarter|stund|oyeblikk)\b")
        .when(|look, span| !look.of(span).to_lowercase().starts_with("pa ") ),
    repair(r"\b(?:innen|for|senest|rundt)(?: (?:kl\.?|klokken|klokka|ca\.?)){0,2} ?[0-2]?[0-9](?:[:.][0-5][0-9]\b|\b)").when(|look, span| look.of(span).to_lowercase().starts_with("innen") || look.of(span).to_lowercase().starts_with("senest") || look.of(span).to_lowercase().contains("kl")),
    repair(r"\b(?:snart|straks|om litt|om kort tid|i naer fremtid|hvert oyeblikk)\b").when(|look, span| !look.after(span).trim_start().to_lowercase().starts_with("som") && !look.before(span).trim_end().to_lowercase().ends_with("sa")),
    // French.
    repair(r"\bdans (?:environ |les |l'|quelques |une |un |moins d'|moins de |la |prochaine?s? )*(?:[0-9]+ ?)?(?:minutes?|heures?|jours?|instants?|heure|demi-?heure|quart d'heure|journee|soiree|moment|foulee)\b|\bd'ici(?: a)?(?: environ)? ?(?:[0-9]+|une?|deux|trois|dix|vingt|demain|ce soir|la fin|peu|midi|quelques)\b|\b(?:sous peu|bientot|incessamment|d'un instant a l'autre|tres prochainement|prochainement)\b|\b(?:avant|vers|pour|sous)(?: environ)? ?[0-2]?[0-9][ \n]?(?:h(?:eures?)?(?:[0-5][0-9])?|:[0-5][0-9])\b").when(|look, span| !french_past(look, span)),
    repair(r"\b(?:a|des|a partir de) [0-2]?[0-9][ \n]?h(?:eures?)?(?:[0-5][0-9])?\b|\ba las [0-2]?[0-9](?:[:.][0-5][0-9])?\b").when(|look, span| {
        let text = format!(" {} {} ", clause_before(look, span), clause_after(look, span)).to_lowercase();
        ["retour a", "retabli", " sera ", " seront ", "volve", "volvera", " estara", "restablec"].iter().any(|word| text.contains(word))
            && !french_past(look, span)
            && !text.contains(" a ete ")
    }),
    // Spanish.
    repair(r"\b(?:en|dentro de|antes de)(?: (?:unos|unas|pocos|pocas|los|las|proximos|proximas|aproximadamente|un|una|menos de|cerca de|media|cuestion de|apenas)){0,4} ?(?:[0-9]+|diez|veinte|treinta|cinco|dos|tres)? ?(?:minutos?|horas?|dias?|momentos?|instantes?)\b|\b(?:en breve|muy pronto|pronto|a la brevedad|enseguida|proximamente|de un momento a otro)\b|\b(?:antes de|hacia|sobre|para)(?: las?)? [0-2]?[0-9](?:[:.][0-5][0-9])?(?: ?h(?:oras)?\b|\b)").when(|look, span| {
        let after = look.after(span).trim_start().to_lowercase();
        let before = look.before(span).trim_end().to_lowercase();
        let clock = look.of(span).contains(':') || look.of(span).contains(" las ") || look.of(span).to_lowercase().ends_with('h');
        let hour = !look.of(span).bytes().any(|b| b.is_ascii_digit()) || clock || look.of(span).to_lowercase().contains("minuto") || look.of(span).to_lowercase().contains("hora") || look.of(span).to_lowercase().contains("dia");
        hour && !after.starts_with("posible") && !after.starts_with("como") && !before.ends_with("mas") && !before.ends_with("tan") && !french_past(look, span)
    }),
];

/// A part of a sentence around a match, up to where another thought begins.
fn clause_before<'a>(look: &'a Look<'_>, span: &Range<usize>) -> &'a str {
    let before = look.sentence_before(span);
    let start =
        CLAUSE.as_ref().and_then(|clause| clause.find_iter(before).last()).map_or(0, |found| found.end());
    before.get(start..).unwrap_or_default()
}

fn clause_after<'a>(look: &'a Look<'_>, span: &Range<usize>) -> &'a str {
    // "By 14:40 UTC, all had recovered": the comma behind the hour ends no thought.
    let after = look.sentence_after(span);
    let zone = AFTER_HOUR.as_ref().and_then(|zone| zone.find(after)).map_or(0, |found| found.end());
    let after = after.get(zone..).unwrap_or_default();
    let end =
        CLAUSE.as_ref().and_then(|clause| clause.find(after)).map_or(after.len(), |found| found.start());
    after.get(..end).unwrap_or_default()
}

static CLAUSE: LazyLock<Option<Regex>> =
    LazyLock::new(|| expression(r"[,;:][\s]|\b(?:and|but|so|then|while|which|who|where)\b|\s-\s", false));
static AFTER_HOUR: LazyLock<Option<Regex>> =
    LazyLock::new(|| expression(r"^[\s]?(?:utc|gmt|cet|cest|est|edt|pst|bst|z)?,?", false));
static PAST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    expression(
        r"\b(?:was|were|had|did|didn't|remained|stayed|continued|lasted|took|saw|returned|recovered|began|started|became|reached|experienced|received|ran|went|came|dropped|fell|rose|ended|cleared|noticed|mitigated|deployed|completed|confirmed|ago|last|past|previous|earlier|since|yesterday)\b",
        false,
    )
});
static FUTURE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    expression(
        r"\b(?:will|won't|shall|should|expect\w*|going to|plan\w*|aim\w*|hope|hopes|hoping|hopefully|estimat\w*|anticipat\w*|can|may|might|could|target\w*|promis\w*|likely|predict\w*|forecast\w*|assum\w*|intend\w*|ought|due|scheduled|confident|believe|sure)\b|'ll\b",
        false,
    )
});
static RECOVERY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    expression(
        r"\b(?:back|restor\w*|resol\w*|fix\w*|repair\w*|recover\w*|normal\w*|complet\w*|finish\w*|available|online|operational|working|work|works|done|ready|running|solved|sorted|healthy|live|up|offline|down|unavailable|over|stable|green|end|ends|return\w*|mended|service|access|gone|clear\w*|reopen\w*)\b",
        false,
    )
});

fn says(what: &LazyLock<Option<Regex>>, text: &str) -> bool {
    what.as_ref().is_some_and(|regex| regex.is_match(text))
}

/// Whether the same thought tells of what has been, and not of what will be.
fn told(look: &Look<'_>, span: &Range<usize>) -> bool {
    let (before, after) = (clause_before(look, span), clause_after(look, span));
    let future = says(&FUTURE, before) || says(&FUTURE, after);
    !future && (says(&PAST, before) || says(&PAST, after))
}

/// "By 15:00" is a promise unless it is told of the past; "at 15:00" is one when something will be right again.
fn is_promised(look: &Look<'_>, span: &Range<usize>) -> bool {
    let small = look.of(span).to_lowercase();
    let strong = [
        "by",
        "no later",
        "not later",
        "at the latest",
        "latest",
        "eta",
        "etr",
        "due",
        "sometime",
        "some time",
        "ready",
    ];
    let (before, after) = (clause_before(look, span), clause_after(look, span));
    if strong.iter().any(|word| small.starts_with(word)) {
        return !told(look, span);
    }
    let future = says(&FUTURE, before) || says(&FUTURE, after);
    let bare = says(&RECOVERY, before)
        && !says(&PAST, before)
        && !says(&PAST, after)
        && before.trim().split([' ', '\n']).count() <= 3;
    (future && (says(&RECOVERY, before) || says(&RECOVERY, after)))
        || (bare
            && (small.starts_with("at ")
                || small.starts_with("until")
                || small.starts_with("around")
                || small.starts_with("before")))
}

/// Whether a thought ends behind it, so that a number is an hour or a length and counts nothing.
fn ends_a_thought(look: &Look<'_>, span: &Range<usize>) -> bool {
    let after = look.after(span);
    let next = after.trim_start_matches([' ', '\n']);
    let stop = |c: char| ".,;!?)".contains(c);
    let point = after.starts_with(['.', ','])
        && after.get(1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let day = ["utc", "today", "tonight", "tomorrow", "this ", "at the latest", "in the "];
    !point
        && (after.is_empty()
            || after.starts_with(stop)
            || after.starts_with("\n\n")
            || day.iter().any(|word| next.starts_with(word)))
}

/// Something will be right again on that day.
fn expected(look: &Look<'_>, span: &Range<usize>) -> bool {
    let (before, after) = (clause_before(look, span), clause_after(look, span));
    (says(&FUTURE, before) || says(&FUTURE, after)) && (says(&RECOVERY, before) || says(&RECOVERY, after))
}

/// "Soon", and not "as soon as", "shortly after 14:00".
fn is_near(look: &Look<'_>, span: &Range<usize>) -> bool {
    let after = look.after(span).trim_start().to_lowercase();
    let before = look.before(span).trim_end().to_lowercase();
    let word = |text: &str, word: &str| {
        text.strip_prefix(word).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    let told = ["after", "afterwards", "before", "thereafter", "as"].iter().any(|next| word(&after, next));
    !told
        && !["as", "too", "how", "very shortly"]
            .iter()
            .any(|last| before.rsplit([' ', '\n']).next() == Some(last))
}

/// "Takes a few minutes longer than usual".
fn is_compared(look: &Look<'_>, span: &Range<usize>) -> bool {
    let after = look.after(span).trim_start().to_lowercase();
    ["longer than", "more than", "less than", "instead of", "rather than"]
        .iter()
        .any(|word| after.starts_with(word))
}

/// "In a second region", "in one day trip".
fn is_an_ordinal(look: &Look<'_>, span: &Range<usize>) -> bool {
    let small = look.of(span).to_lowercase();
    let after = look.after(span).trim_start_matches([' ', '-']).to_lowercase();
    small.ends_with("second")
        && after.starts_with(|c: char| c.is_ascii_lowercase())
        && !["or", "and", "now", "when", "once", "we", "it", "if"].iter().any(|word| after.starts_with(word))
}

/// "In the last 30 minutes", "within 5 minutes of the alert".
fn past_window(look: &Look<'_>, span: &Range<usize>) -> bool {
    let after = look.after(span).trim_start().to_lowercase();
    after.starts_with("ago") || after.starts_with("earlier") || after.starts_with("before ")
}

/// "In the morning" and "in the evening" are hours of every day, and "later by a few hours" is a length.
fn morning(look: &Look<'_>, span: &Range<usize>) -> bool {
    let small = look.of(span).to_lowercase();
    let part = ["morning", "afternoon", "evening", "week", "day"].iter().any(|word| small.ends_with(word));
    (part && small.starts_with("in ") && !expected(look, span)) || small.starts_with("by a ")
}

fn refused(text: &str) -> bool {
    static REFUSED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        expression(
            r"\b(?:no|not|don't|cannot|can't|without|nor|yet|unable|unknown|never|isn't|won't|too early)\b",
            false,
        )
    });
    says(&REFUSED, text)
}

/// "In den letzten 10 Minuten" is not matched; "in 10 Minuten behoben" told with "wurde" is the past.
fn german_past(look: &Look<'_>, span: &Range<usize>) -> bool {
    let (before, after) = (clause_before(look, span).to_lowercase(), clause_after(look, span).to_lowercase());
    let told =
        |text: &str| ["war ", "waren ", "wurde", "konnte", "hatte"].iter().any(|word| text.contains(word));
    let will = |text: &str| text.contains("werden") || text.contains("wird") || text.contains("soll");
    let small = look.of(span).to_lowercase();
    let vague = small.ends_with("zeit") && !small.contains("kurz") && !small.contains("nachst");
    vague || small.ends_with("tag") || (told(&before) || told(&after)) && !will(&before) && !will(&after)
}

/// "Von 14:02 bis 14:40 Uhr".
fn german_range(look: &Look<'_>, span: &Range<usize>) -> bool {
    static FROM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        expression(r"[0-9]{1,2}(?:[:.][0-9]{2})?(?:[\s](?:uhr|utc|mez|mesz))?[\s]?$", false)
    });
    let small = look.of(span).to_lowercase();
    let before = look.sentence_before(span);
    says(&FROM, before)
        || german_past(look, span)
        || (small.starts_with("ab") || small.starts_with("vor") || small.starts_with("gegen"))
            && !will_be(look, span)
}

fn will_be(look: &Look<'_>, span: &Range<usize>) -> bool {
    let text = format!("{} {}", look.sentence_before(span), look.sentence_after(span)).to_lowercase();
    ["wird", "werden", "wieder", "zuruck", "soll", "voraussichtlich", "rechnen", "erwarten"]
        .iter()
        .any(|word| text.contains(word))
}

/// French and Spanish of the past.
fn french_past(look: &Look<'_>, span: &Range<usize>) -> bool {
    let text = format!("{} {}", clause_before(look, span), clause_after(look, span)).to_lowercase();
    let told = [
        " etait",
        " etaient",
        " ont ",
        " avons ",
        " fue ",
        " fueron ",
        " estuvo",
        " estuvieron",
        " pudieron",
        " se produj",
        " restablecio",
        " se resolvio",
    ];
    told.iter().any(|word| text.contains(word))
}
