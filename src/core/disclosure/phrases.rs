//! Words of security, of causes, of numbers and absolutes, and of exercises.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::Rule;
use super::pattern::{Look, Pattern, expression};

const SECURITY: &str = "This is a word of security: what is said of it is decided by the administrator, so say what users see and do.";
const CAUSE: &str =
    "This names a cause, and the Commander has not confirmed one: say what users see and what is being done.";
const NUMBER: &str = "This is a number: say it only when somebody has verified it, and name where it stands.";
const ABSOLUTE: &str =
    "This says all, none or never: say it only when somebody has verified it, or say what is known.";
const DRILL: &str = "This is a word of exercises: in a real incident it makes people doubt that it is one.";

const fn security(source: &'static str) -> Pattern {
    Pattern::new(Rule::Security, source, SECURITY).joined()
}

const fn cause(source: &'static str) -> Pattern {
    Pattern::new(Rule::Cause, source, CAUSE).joined().when(unconfirmed)
}

const fn drill(source: &'static str) -> Pattern {
    Pattern::new(Rule::Drill, source, DRILL).joined().when(|look, _| !look.known.drill)
}

pub(super) const PATTERNS: &[Pattern] = &[
    security(r"\b(?:breach(?:e[sd]|ing)?|exploit(?:s|ed|ing|able|ation)?|vulnerabilit(?:y|ies)|vulnerable|zero ?days?|0 ?days?|attack(?:s|ed|er|ers|ing)?|cyber ?\w{0,16}|d?dos(?:sed|ing)?|denials? of service|ransom(?:ware|s|ed)?|malware|spyware|trojans?|botnets?|bots attack|phish(?:ed|ing|ers?)?|hack(?:s|ed|er|ers|ing)?|intrusions?|intruders?|compromis(?:ed|es|ing)|compromise of|credentials?(?: stuffing)?|brute ?forc(?:e|ed|ing)|unauthori[sz]ed(?:ly)?|exfiltrat\w{0,8}|backdoors?|rootkits?|sql ?injections?|xss|csrf|ssrf|privilege escalation|remote code execution|rce|malicious(?:ly)?|threat actors?|bad actors?|extort\w{0,6}|forensics?|forensically|tamper(?:ed|ing)|spoof(?:ed|ing|s)?|defaced?|defacement|infiltrat\w{0,6}|keyloggers?|cryptominers?|crypto mining|man in the middle|mitm|session hijack\w{0,4}|hijack(?:ed|ing|ers?)?|pwned|infosec|siem|ids alert|pentest\w{0,4}|penetration test\w{0,4}|data theft|identity theft|stolen|theft|leaks? of|flood of (?:malicious|traffic|requests)|traffic flood|syn flood|amplification)\b"),
    security(r"\bcve(?: ?[0-9]{4} ?[0-9]{3,7})?\b|\bcwe ?[0-9]{1,4}\b|\bghsa ?[a-z0-9]{4}\b"),
    security(r"\b(?:data|password|passwords|records|information|customer|credential|token|key|personal data|details)s?(?: \w+){0,3} (?:leak(?:s|ed|age|ing)?|exposed|disclosed|accessed by|stolen|dumped|viewed by|visible to (?:others|other|third|unknown|strangers))\b|\b(?:leak(?:s|ed|age|ing)?|expos(?:ed|ure of|ing)|dump(?:ed)?)(?: \w+){0,3} (?:data|passwords?|records|information|tokens?|keys?|details|database|source code)\b"),
    security(r"\bsecurity (?:incident|issue|flaw|hole|bug|problem|event|gap|weakness|investigation|team|patch|fix|update|threat|lapse|violation|concern|leak|alert|advisory|compromise)s?\b|\b(?:third|outside|unknown|unauthori[sz]ed) (?:party|parties|person|persons|actor) (?:gained|got|had|obtained|accessed)(?: \w+){0,2} ?(?:access)?\b|\bgained (?:unlawful |illegal |improper )?(?:access|entry)\b|\baccess by (?:a |an )?(?:third|outside|unknown|stranger)"),
    security(r"\bgot (?:in|into) (?:our|the|some|one of our) (?:systems?|networks?|servers?|accounts?)\b|\boutsiders?\b|\bvirus(?:es)?\b|\binfect(?:ed|ion|ions|ing)\b|\bbroken into\b|\bbreak ?ins?\b|\bcriminals?\b|\bencrypted (?:our|the|all|some) (?:files|data|systems|servers|machines)\b|\bknown to (?:others|strangers|third parties)\b"),
    // German, Norwegian, French, Spanish.
    security(r"\b(?:(?:cyber|hacker|ddos|brute force|server)?angriffe?n?s?|angegriffen|sicherheits(?:lucken?|vorfall\w{0,3}|problem\w?|leck\w?|verletzung)|datenlecks?|datenpannen?|datendiebstahl|schadsoftware|gehackt\w{0,2}|kompromittiert\w{0,2}|unbefugt\w{0,2}|erpress\w{0,8}|schwachstellen?|einbruch in|zugangsdaten)\b")
        .when(|look, span| !(look.of(span).eq_ignore_ascii_case("angriff") && look.before(span).trim_end().to_lowercase().ends_with("in"))),
    security(r"\b(?:(?:data)?angrep\w{0,3}|angripere?|sikkerhets(?:brudd|hull|hendelse\w{0,3}|feil|svikt)|datainnbrudd\w{0,2}|datalekkasje\w{0,2}|hacket|uautorisert\w?|uvedkommende|losepenge\w{0,6}|skadevare|sarbarhet\w{0,3}|attaques?|attaquants?|pirat(?:age|es?|ee?s?)|faille|failles?|fuite de donnees|rancongiciel\w?|logiciel malveillant|non autorisee?s?|compromise?s? par|intrus|ataques?|atacantes?|hackeo|hackead[oa]s?|brecha de|vulnerabilidad\w{0,2}|no autorizad[oa]s?|filtracion de datos|robo de datos|ciberataques?|programa malicioso)\b"),
    cause(r"\b(?:(?:(?:was|were|which|that|has|have|had|is|are|be|being)(?: been)? )?caus(?:ed|es|ing) (?:by|the)|(?:was|were|which|that|has|have|had)(?: been)? caused|due to|because of|owing to|on account of|thanks to (?:a|an|the|our|some)|as a consequence of|in consequence of|triggered (?:by|when|after)|brought (?:on|about|down) by|stem(?:s|med|ming) from|originat(?:es|ed|ing) (?:in|from|with|at)|attribut(?:ed|able) to|trac(?:ed|ing) (?:it |this |the \w+ )?(?:back )?to|tracked (?:it |this |the \w+ )?(?:back |down )?to|boil(?:s|ed) down to|comes? down to|came down to|points? to (?:a|an|the)|pointing to (?:a|an|the)|provoked by|induced by|set off by|result(?:ed|ing) from|(?:this|which|it|that) results from|blamed? on|linked to (?:a|an|the|our)|following (?:a|an) (?:\w+ )?(?:deploy(?:ment)?|release|change|update|upgrade|migration|rollout|misconfiguration)|after (?:a|an|our|the) (?:\w+ ){0,3}(?:deploy(?:ment)?|release|change|update|upgrade|migration|rollout|misconfiguration) (?:went|failed|broke|introduced|did|was pushed)|the culprit|the (?:reason|reasons) (?:is|are|was|were|for (?:this|the|it))|the trigger (?:is|was|for)|was to blame|behind (?:the|this|today's) (?:outage|incident|disruption|problem|issue)s?)\b"),
    cause(r"\b(?:as )?(?:a|the) (?:direct |likely |probable )?(?:result|consequence|outcome) of\b").when(|look, span| {
        let after = look.after(span).trim_start().to_lowercase();
        let itself = ["this", "the incident", "the disruption", "the issue", "the outage", "the problem", "these", "the interruption"];
        unconfirmed(look, span) && !itself.iter().any(|word| after.starts_with(word))
    }),
    cause(r"\b(?:root|underlying|actual|probable|likely|suspected|possible|primary|immediate|main) ?causes?\b").when(claimed),
    cause(r"\b(?:the|its|a) cause(?: of (?:the|this|today's|these|our)(?: \w+){1,4})? (?:is|was|were|has been (?:identified as|traced|found|a|an|the)|turned out|appears|seems|lies|lay|proved|may be|might be|could be|must be|looks)\b").when(claimed),
    cause(r"\b(?:identified|found|isolated|located|pinpointed|discovered|confirmed|know|understand) the (?:cause|reason|source|trigger|fault|faulty|culprit|bug)\b").when(|look, span| unconfirmed(look, span) && !negated(look.sentence_before(span))),
    cause(r"\bbecause (?:a|an|the|one|two|some|several|our|their|its|someone|somebody|they|of|there (?:was|were|is)|another|both|all|an? \w+|(?:we|it)(?: had)? (?:pushed|deployed|changed|ran|misconfigured|forgot|upgraded|migrated|lost|let|missed|hit|restarted|rolled|shipped|removed|deleted|overloaded|filled|failed|crashed|expired|switched|did not|didn't|released|applied|disabled|enabled))\b"),
    cause(r"\b(?:certificate|disk|disks|memory|license|licence|quota|lease)(?: \w+){0,3} (?:expired|ran out|filled up|was full|were full|lapsed)\b|\b(?:bad|faulty|broken|failed|botched|buggy|defective|misconfigured|corrupt(?:ed)?) (?:deploy(?:ment)?|release|config(?:uration)?|change|update|upgrade|migration|patch|switch|disk|cable|drive|hardware|firmware|index|table|query|node|server|rollout)\b|\bmisconfigur(?:ation|ed)\b|\b(?:memory leak|race condition|split brain|cascading failure|hardware failure|disk failure|power failure|power cut|power outage|network partition|software bug|human error|thundering herd|expired certificate|dns misconfig\w*|configuration (?:error|mistake|change|drift)|overload(?:ed)? (?:of|by)|single point of failure)\b"),
    cause(r"\b(?:ran|run|running) out of (?:disk|memory|space|storage|connections|file descriptors|quota|ip addresses)(?: space)?\b|\b(?:a|an|the|our|one|some) (?:\w+ ){0,2}(?:bug|defect|regression|typo) in (?:a|an|our|the|its|one|some)\b|\b(?:deploy(?:ment)?|release|change|update|upgrade|migration|rollout|query|job|config(?:uration)?|disk|switch|router|certificate|firewall rule)(?: (?:at|of|from|on|in) [0-9:]+(?: utc)?| \w+){0,3} (?:broke|took down|brought down|overloaded|crashed|knocked out|blocked|filled up|died|failed)\b|\b(?:load balancer|database|disk|switch|router|power supply|cooling|cable)s?(?: \w+)? (?:died|fell over|burned|burnt|melted|broke)\b"),
    cause(r"\b(?:was|were) (?:the|our) (?:problem|culprit|reason|trigger)\b|\b(?:the )?reasons?\s?:|\breason (?:is|was) (?:a|an|the|that|our|in)\b|\b(?:is|was) down to (?:a|an|the|our)\b|\b(?:was|is) the (?:work|doing) of\b|\bled to (?:this|these|the (?:outage|incident|disruption|problem|issue|delay|failure|error)s?)\b|\b(?:is|was|lies|lay) behind (?:this|it|the)\b|\bit (?:is|was) (?:a |an |the |our )?(?:dns|bgp|network|database|disk|certificate|deploy(?:ment)?|firewall|load balancer|config(?:uration)?)\b|\b(?:began|started) with (?:a|an|the|our) (?:\w+ )?(?:deploy(?:ment)?|release|change|update|upgrade|migration|rollout)\b|\bmade (?:the |our )?(?:\w+ ){1,2}(?:fail|crash|hang|stop|slow)\b"),
    // German, Norwegian, French, Spanish.
    cause(r"\b(?:verursacht|ausgelost|bedingt|hervorgerufen) (?:durch|von|worden)\b|\b(?:durch|von) (?:einen?|eine[mr]?|die|den|das|ein|unser\w{0,2})(?: \w+){1,4} (?:verursacht|ausgelost|hervorgerufen)\b|\b(?:aufgrund|auf grund|infolge|wegen)(?: (?:von|eines?|einer|des|der|unserer?s?))?\b|\b(?:die )?ursache (?:ist|war|liegt|lag|sind|waren|fur)\b|\bgrund (?:dafur|hierfur) (?:ist|war)\b|\bzuruckzufuhren\b")
        .when(|look, span| {
            let small = look.of(span).to_lowercase();
            let sought = negated(look.sentence_after(span)) || negated(look.sentence_before(span));
            unconfirmed(look, span) && !(small.contains("ursache") && sought)
        }),
    cause(r"\b(?:forarsaket av|skyldes|skyldtes|pa grunn av|som folge av|arsaken (?:er|var|til)|utlost av|cause[e]?s? par|en raison d|a cause d|du fait d|suite a (?:un|une|la|des)|provoquee?s? par|la cause (?:est|etait)|due?s? a (?:un|une|la|des)|causad[oa]s? por|debido a|a causa de|por culpa de|provocad[oa]s? por|la causa (?:es|fue|era)|originad[oa]s? por)\b")
        .when(|look, span| unconfirmed(look, span) && !(negated(look.sentence_after(span)))),
    Pattern::new(
        Rule::Number,
        r"\b(?:[0-9][0-9.,]*(?: ?(?:k|m|million|thousand|hundred|mio|tausend|tusen|mille|mil))?|dozens|hundreds|thousands|millions|tens of thousands|one in \w+|two thirds|half|a third|a quarter|a dozen|(?:several|a few) (?:hundred|thousand|dozen)|hunderte|tausende|hundrevis|tusenvis|centaines|milliers|cientos|miles)(?: (?:of|der|de|von|av))?(?: (?:our|the|all|your|unserer|nos|nuestros))?(?: [a-z]+){0,2} (?:users?|customers?|accounts?|people|companies|requests?|orders?|messages?|e ?mails?|devices?|sites?|transactions?|records?|organi[sz]ations?|tenants?|clients?|businesses|merchants?|visitors?|subscribers?|sessions?|payments?|logins?|calls?|files?|kunden|nutzer\w{0,4}|benutzer\w{0,2}|anfragen|brukere|kunder|utilisateurs|requetes|commandes|usuarios|clientes|pedidos)\b",
        NUMBER,
    ),
    Pattern::new(
        Rule::Number,
        r"\b[0-9]+(?:[.,][0-9]+)?(?:[ \n]?%|[ \n]per ?cent\b|[ \n]prozent\b|[ \n]prosent\b|[ \n]pour cent\b|[ \n]por ciento\b|[ \n]percentage points?\b)",
        NUMBER,
    ),
    Pattern::new(
        Rule::Absolute,
        r"\b(?:all (?:of )?(?:our |the |your |other )?(?:users?|customers?|data|accounts?|services?|systems|orders|messages|payments|clients|requests|products|regions)|every(?: single)? (?:user|customer|account|order|message|payment|request)|everyone|everybody|no ?(?:one|body)|nobody|no (?:customer |user |personal )?(?:data|information|records?|orders?|messages?|files?|users?|customers?|accounts?|impact|effect|risk|payments?)(?: (?:was|were|is|are|has been|have been|got))?(?: (?:lost|affected|impacted|harmed|missing|exposed))?|without (?:any )?(?:data )?loss|zero (?:data loss|impact|downtime|risk)|completely|entirely|totally|absolutely|fully (?:safe|secure|protected|resolved)|never|always|guarantee[ds]?|impossible|permanently|once and for all|will not (?:happen|occur|recur)(?: again)?|cannot (?:happen|occur) again|nothing (?:was|has been|is) lost|under no circumstances)\b",
        ABSOLUTE,
    ),
    Pattern::new(Rule::Absolute, r"\b100(?:\.0+)?[ \n]?(?:%|per ?cent\b|prozent\b|prosent\b)", ABSOLUTE),
    Pattern::new(
        Rule::Absolute,
        r"\b(?:alle (?:nutzer\w{0,4}|kunden|daten|brukere|kunder|systeme)|keine daten|niemals|vollstandig|ingen (?:data|brukere|kunder)|aldri|aucune? (?:donnee|client|utilisateur)s?|jamais|tous les (?:clients|utilisateurs)|ningun[oa]? (?:dato|cliente|usuario)s?|nunca|todos los (?:clientes|usuarios))\b",
        ABSOLUTE,
    ),
    drill(r"\b(?:exercises?|exercising|drills?|drilled|drilling)\b").when(|look, span| {
        let after = look.after(span).trim_start_matches([' ', '-', '\n']).to_lowercase();
        let verb = ["caution", "patience", "care", "your", "their", "restraint", "judg", "discretion", "control", "down", "the right", "bike", "class", "video", "tracking", "data", "log"];
        !look.known.drill && !verb.iter().any(|word| after.starts_with(word))
    }),
    drill(r"\b(?:test incidents?|test (?:pages?|alerts?|alarms?|outages?|scenarios?|emergency|event|run of|failover)|simulat(?:ions?|ed|es|ing|e|or)|table ?top|game ?days?|fire ?drills?|mock (?:incident|outage|drill|scenario|disaster|failure|failover|emergency)s?|rehears(?:als?|ed|e|ing)|training (?:scenario|incident|exercise|run|session|outage|event)s?|practi[cs]e (?:incident|run|scenario|outage|session|failover|emergency)s?|practi[cs]ing (?:our|the|for)|dry ?runs?|chaos (?:test\w{0,3}|engineering|monkey|experiments?|day|session)|start ?ex|end ?ex|pause ?ex|no duff|(?:for|as) (?:training|exercise|practice|test) (?:purposes?|only)|injects?|msel|hot ?wash|wargam(?:e|ing)|role ?play\w{0,3}|not a real (?:incident|outage|emergency)|not real|fake (?:incident|outage|alert)|pretend\w{0,3} (?:incident|outage|that)|disaster recovery test\w{0,3}|dr (?:test|exercise|drill)|real world emergency|staged (?:outage|incident|failure)|planned failure test)\b"),
    drill(r"\b(?:this (?:is|was)|only|just|merely) (?:only |just |merely )?a test\b"),
    drill(r"\b(?:(?:not(?:fall)?|alarm|krisen|feuer|brand|stabs|katastrophen)?ubung(?:en|s\w{0,12})?|probealarm\w?|planspiele?|testalarm\w?|teststorung|(?:beredskaps|krise|brann)?ovelse\w{0,3}|provealarm|exercices?(?: de (?:crise|simulation))?|ceci est un (?:test|exercice)|simulacros?|ejercicios?|esto es una prueba|ensayo general)\b"),
];

fn unconfirmed(look: &Look<'_>, _span: &Range<usize>) -> bool {
    !look.known.cause_confirmed
}

/// A cause that is looked for is not named.
fn claimed(look: &Look<'_>, span: &Range<usize>) -> bool {
    if look.known.cause_confirmed {
        return false;
    }
    let after = look.sentence_after(span);
    let names = after.trim_start().starts_with([':', '='])
        || STATED.as_ref().is_some_and(|stated| stated.is_match(after));
    names
        || !(negated(look.sentence_before(span))
            || negated(look.of(span))
            || negated(after.get(..after.len().min(60)).unwrap_or_default()))
}

static STATED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    expression(
        r"^ (?:is|was|were|appears to be|seems to be|lies in|being) (?:a|an|the|that|in|our|one|likely|probably)\b",
        false,
    )
});

/// Whether it is said that something is looked for, or not known.
fn negated(text: &str) -> bool {
    static SOUGHT: LazyLock<Option<Regex>> = LazyLock::new(|| {
        expression(
            r"\b(?:investigat(?:e|ing|ion|ions)|look(?:ing)? (?:for|into)|determin(?:e|ing)|identify(?:ing)?|establish(?:ing)?|find(?:ing)?(?: out)?|search(?:ing)?|seek(?:ing)?|analy[sz](?:e|ing|is)|stud(?:y|ying)|examin(?:e|ing)|understand(?:ing)?|narrow(?:ing)? down|unknown|unclear|not|no|yet|cannot|hasn't|haven't|isn't|don't|review(?:ing)?|whether|still|work(?:ing)? (?:on|to)|suchen|untersuch\w*|ermitteln|analys\w*|pruf\w*|nicht|noch|unbekannt|unklar|undersok\w*|ikke|ukjent|leter|cherch\w*|recherch\w*|pas|inconnue?|enquet\w*|investig\w*|busc\w*|desconoc\w*|aun no)\b",
            false,
        )
    });
    SOUGHT.as_ref().is_some_and(|sought| sought.is_match(text))
}
