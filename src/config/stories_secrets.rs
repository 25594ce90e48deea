//! Secrets: where they come from, and that none is ever said.

use secrecy::ExposeSecret;

use super::stories::{GOOD, kinds, read, said};
use super::*;

/// What is said of a configuration beside which a file stands.
fn beside(text: &str, file: &str) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("tokens"), file).unwrap();
    let path = directory.path().join("onscene.toml");
    parse(&path, text, &kinds(), SecretsMode::Read).map_err(|errors| errors.to_string())
}

#[test]
fn no_secret_is_said_wherever_it_stands() {
    let relays = "relays = [\"file:./onscene-data/mail\"]";
    let token = "token = \"quickstart-pingdom-token\"";
    let hook = "[[channel]]\nname = \"hook\"\nkind = \"webhook\"\naudience = \"internal\"\n";
    let cases = [
        said(relays, "relays = [\"ftp://pager:hush@mx.example.net\"]"),
        said(relays, "relays = [\"pager:hush@mx.example.net\", 7]"),
        said(relays, "relays = \"smtps://pager:hush@mx.example.net\""),
        said(relays, "relays = [\"ftp://pager:hu\\u0073h@mx.example.net\"]"),
        said(token, "token_env = \"hush-hush\""),
        said(token, "Token = \"hush\""),
        said(token, "TOKEN = \"hush\""),
        said(token, "tokne = \"hush\""),
        said(token, "tokne.is = { a = [\"hush\"] }"),
        said(token, "token = [\"hush\"]"),
        said(token, "token = \"\"\"hush\nhush\"\"\""),
        said(token, "token = \"\"\"hush\nhush"),
        said(token, "token = \"hush\n"),
        said("name = \"pingdom\"", "\"pass\\u0077ord\" = '''\nhush\nhush='''; name = 1"),
        said(
            "[[channel]]",
            &format!("{hook}url = \"https://b.example.net/hush?hush\"\nurll = 1\n\n[[channel]]"),
        ),
        said("[[channel]]", &format!("{hook}url = [\"https://b.example.net/hush\", 1]\n\n[[channel]]")),
        said("[[channel]]", &format!("{hook}url = \"https://b.example.net/hush\n\n[[channel]]")),
        said("[store]\nurl = \"sqlite:", "[store]\nurl = \"postgres://onscene:hush@db/"),
        said("url = \"http://127.0.0.1:8087\"", "url = \"http://maya:hush@example.net\""),
    ];
    for case in &cases {
        assert!(!case.contains("hush") && !case.contains("0073") && case != "nothing", "{case}");
    }
    insta::assert_snapshot!("hidden", cases.join("\n\n"));
}

#[test]
fn a_name_of_a_variable_is_said_when_it_is_one() {
    let token = "token = \"quickstart-pingdom-token\"";
    assert!(said(token, "token_env = \"ONSCENE_NOT_SET\"").contains("variable ONSCENE_NOT_SET is not set"));
    assert!(!said(token, "token_env = \"s3cret\"").contains("s3cret"));
    assert!(!said(token, "token_env = \"7_SECRET\"").contains("7_SECRET"));
}

#[test]
fn a_file_may_hold_several_tokens() {
    let text = GOOD.replace("token = \"quickstart-pingdom-token\"", "token_file = \"tokens\"");
    let file =
        "# new\nnew-token-of-pingdom\n\n  # until May\n old-token-of-pingdom \r\nnew-token-of-pingdom\n";
    let config = beside(&text, file).unwrap();
    let tokens: Vec<&str> =
        config.sources["pingdom"].tokens.iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!(tokens, ["new-token-of-pingdom", "old-token-of-pingdom"]);
    assert!(beside(&text, "# nothing\n\n").unwrap_err().contains("nothing but comments"));
    assert!(beside(&text, " \n\n").unwrap_err().contains("is empty"));
    assert!(beside(&text, "new-token-of-pingdom\nshort\n").unwrap_err().contains("too short"));
    let same = beside(&text, "new-token-of-pingdom\nquickstart-scripts-token\n").unwrap_err();
    assert!(same.contains("source pingdom has the same token"), "{same}");
}

#[test]
fn a_file_that_everybody_can_read_is_warned_of_with_its_line() {
    let text = GOOD.replace("token = \"quickstart-pingdom-token\"", "token_file = \"tokens\"");
    let config = beside(&text, "new-token-of-pingdom\n").unwrap();
    let warned =
        config.warnings.iter().any(|warning| warning.contains("onscene.toml:47: everybody on this machine"));
    assert!(warned, "{:?}", config.warnings);
}

#[test]
fn blank_and_short_and_shared_tokens_are_refused() {
    let token = "token = \"quickstart-pingdom-token\"";
    assert!(said(token, "token = \"\"").contains("`token` is blank"));
    assert!(said(token, "token = \"                    \"").contains("`token` is blank"));
    assert!(said(token, "token = \"a              \"").contains("too short"));
    assert!(
        said(token, "token = \"quickstart-scripts-token\"").contains("source pingdom has the same token")
    );
    assert!(read(GOOD).is_ok());
}
