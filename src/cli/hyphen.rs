//! Words that begin with a hyphen: `onscene incident note 1 "-5V rail dead"`.
//!
//! Free text takes them as they are (`allow_hyphen_values`), wherever it stands, and flags are flags after it as before it. What
//! looks like a flag that the command does not have (`--sever`, `-j`) is a slip of the finger: it must not stand on a timeline
//! for ever, and is refused as it is everywhere else. Behind `--` everything is words.

use std::ffi::OsString;

use clap::{Command, CommandFactory as _, FromArgMatches as _};

use super::Cli;

/// The commands that take free text. Elsewhere ids may look like flags.
const OF_WORDS: [&str; 2] = ["incident", "condition"];

/// Reads what was asked for; the first argument is the program.
pub(super) fn read(arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    let family = arguments.get(1).and_then(|word| word.to_str());
    if let Some(family) = family.filter(|family| OF_WORDS.contains(family))
        && slips(&arguments)
    {
        // The words of the refusal, and what it guesses, are those of any other command.
        command = command.mut_subcommand(family, without_words);
    }
    let matches = command.clone().try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

fn without_words(command: Command) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command = command.mut_args(|arg| arg.allow_hyphen_values(false));
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, without_words))
}

/// Whether something looks like a flag and is none that the command has, or stands where an option has its value.
fn slips(arguments: &[OsString]) -> bool {
    let mut root = Cli::command();
    root.build();
    let (mut command, mut waits) = (&root, false);
    for word in arguments.iter().skip(1).map(|word| word.to_string_lossy()) {
        if word == "--" {
            return waits;
        }
        if looks_like_a_flag(&word) {
            let Some(has_value) = flag(command, &word).filter(|_| !waits) else { return true };
            waits = has_value;
            continue;
        }
        if !std::mem::take(&mut waits) {
            command = command.find_subcommand(&*word).unwrap_or(command);
        }
    }
    false
}

/// `--name`, `--name=value`, `-n`: no blank before the value, and a letter after the hyphen, as flags have.
fn looks_like_a_flag(word: &str) -> bool {
    let name = word.split('=').next().unwrap_or_default();
    let bare = name.strip_prefix("--").or_else(|| name.strip_prefix('-')).unwrap_or_default();
    bare.starts_with(|c: char| c.is_ascii_alphabetic())
        && bare.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Of a flag that a command has, whether its value is the next argument.
fn flag(command: &Command, word: &str) -> Option<bool> {
    let is_it = |arg: &&clap::Arg| match word.strip_prefix("--") {
        Some(long) => arg.get_long().is_some_and(|name| long.split('=').next() == Some(name)),
        None => arg.get_short().is_some_and(|name| word[1..].starts_with(name)),
    };
    let arg = command.get_arguments().find(is_it)?;
    let is_alone = if word.starts_with("--") { !word.contains('=') } else { word.len() == 2 };
    Some(is_alone && arg.get_action().takes_values())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(line: &[&str]) -> Result<String, String> {
        let all = ["onscene"].iter().chain(line).map(OsString::from).collect();
        read(all).map(|cli| format!("{cli:?}")).map_err(|error| error.to_string())
    }

    #[test]
    fn free_text_may_begin_with_a_hyphen_and_flags_are_flags_after_it() {
        for words in
            ["-5V rail dead", "-5", "-5V", "--dry-run was given", "- both are dead", "-n was set", "–5 °C"]
        {
            for line in [
                &["incident", "note", "1", words, "--server", "http://there"][..],
                &["incident", "note", "--server", "http://there", "1", words],
                &["incident", "--server=http://there", "note", "1", words],
                &["incident", "note", "1", "--server", "http://there", "--", words],
                &["incident", "stop", "1", words, "--server", "http://there"],
                &["incident", "end-act", "1", "1", words, "--how", "failed", "--server", "http://there"],
                &["incident", "mitigate", "1", "--cause", words, "--server", "http://there"],
                &["incident", "act", "1", "x", "--undo", words, "--server", "http://there"],
                &["incident", "decline", "1", "--reason", words, "--server", "http://there"],
                &["condition", "add", words, "--for", "4h", "--server", "http://there"],
            ] {
                let read = reads(line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
                assert!(read.contains(&format!("{words:?}")), "{line:?}: {read}");
                assert!(read.contains("server: Some(\"http://there\")"), "{line:?}: {read}");
            }
        }
    }

    #[test]
    fn what_looks_like_a_flag_is_no_text_unless_it_stands_behind_two_hyphens() {
        for line in [
            &["incident", "note", "1", "--sever", "http://there", "text"][..],
            &["incident", "note", "1", "--sever=http://there"],
            &["incident", "note", "1", "--sever"],
            &["incident", "stop", "1", "-j"],
            &["incident", "stop", "1", "--term"],
            &["incident", "report", "1", "worse", "--jsn"],
            &["incident", "note", "1", "-5V", "--sever"],
            &["incident", "act", "1", "x", "--undo", "--where", "lb1"],
            &["incident", "offer", "1", "tom", "--reason", "--json"],
            &["incident", "offer", "1", "tom", "--reason", "--"],
            &["condition", "add", "--fr", "4h"],
        ] {
            assert!(reads(line).is_err(), "{line:?}: {:?}", reads(line));
        }
        let said = reads(&["incident", "note", "1", "--sever", "http://there", "text"]).unwrap_err();
        assert!(said.contains("unexpected argument '--sever'") && said.contains("--server"), "{said}");
        let said = reads(&["incident", "stop", "1", "-j"]).unwrap_err();
        assert!(said.contains("'-- -j'"), "it says how: {said}");
        let read = reads(&["incident", "note", "1", "--", "--sever"]).unwrap();
        assert!(read.contains("text: \"--sever\""), "{read}");
        let read = reads(&["incident", "act", "1", "x", "--undo=--force it"]).unwrap();
        assert!(read.contains("undo: \"--force it\""), "{read}");
        // Elsewhere nothing is other than it was.
        assert!(reads(&["oncall", "end", "-abc"]).unwrap().contains("-abc"));
        assert!(reads(&["incident", "timeline", "1", "-f"]).unwrap().contains("follow: true"));
        assert!(reads(&["incident", "list", "-qdisk", "--since", "20m ago"]).unwrap().contains("\"disk\""));
    }
}
