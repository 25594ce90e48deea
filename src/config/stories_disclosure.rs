//! What must not be said, as it is written, and what is told of what is wrong with it.

use super::stories::GOOD;
use super::*;
use crate::core::audience::Audience;
use crate::core::disclosure::{Rendered, lint};

/// A configuration beside two files.
struct Desk {
    directory: tempfile::TempDir,
}

impl Desk {
    fn with(hosts: &str, customers: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("hosts"), hosts).unwrap();
        let customers_file = directory.path().join("customers");
        std::fs::write(&customers_file, customers).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o640);
        std::fs::set_permissions(&customers_file, private).unwrap();
        Self { directory }
    }

    fn read(&self, disclosure: &str, mode: SecretsMode) -> Result<Config, String> {
        let text = format!("{GOOD}\n[disclosure]\n{disclosure}\n");
        let path = self.directory.path().join("onscene.toml");
        let config = parse(&path, &text, &crate::house::kinds(), mode);
        let here = self.directory.path().display().to_string();
        config.map_err(|error| error.to_string().replace(&here, "DIR"))
    }

    fn refused(&self, disclosure: &str) -> String {
        self.read(disclosure, SecretsMode::Names).unwrap_err()
    }
}

/// The rules by which a text is stopped, for everybody.
fn rules(config: &Config, text: &str) -> Vec<&'static str> {
    let known = config.rules.disclosure.known(BTreeSet::new(), Vec::new(), Vec::new(), false, false, 7);
    let text = Rendered { body: text.to_owned(), ..Rendered::default() };
    lint(&text, Audience::Public, &known).into_iter().map(|finding| finding.rule.as_str()).collect()
}

const ALL: &str = r#"
suffixes = [".corp.example.net"]
hosts = ["bifrost"]
hosts_file = "hosts"
customers_file = "customers"
public_names = ["Vault-12"]
public_hosts = ["www.example.com"]
public_contacts = ["help@example.com", "+47 22 00 00 00"]
vendors = [{ name = "Cloudnorth", notice_hosts = ["status.cloudnorth.example"] }]
"#;

#[test]
fn what_is_listed_is_found_and_what_is_public_is_free() {
    let desk = Desk::with(
        "# ours\n[web]\nheimdall ansible_user=x\nweb[01:02].dc.example\n[web:vars]\nx=1\n",
        "# ours\n\nNordwind Bank\n",
    );
    let config = desk.read(ALL, SecretsMode::Names).unwrap();
    for (text, rule) in [
        ("x1.corp.example.net is slow.", "host"),
        ("Bifrost is slow.", "host"),
        ("Heimdall is slow.", "host"),
        ("web02.dc.example is slow.", "host"),
        ("Nordwind-Bank is concerned.", "customer"),
        ("Cloudnorth had an outage.", "vendor"),
        ("Maya is on it.", "colleague"),
        ("Write to maya@example.net.", "colleague"),
        ("See onscene.example.net.", "host"),
    ] {
        assert_eq!(rules(&config, text), [rule], "{text}");
    }
    for text in [
        "Vault-12 is slow.",
        "See https://www.example.com/help or call +47 22 00 00 00, or write to help@example.com.",
        "Cloudnorth had an outage: https://status.cloudnorth.example/1",
        "The shop is slow.",
    ] {
        assert!(rules(&config, text).is_empty(), "{text} {:?}", rules(&config, text));
    }
    let tables = desk.read("[[disclosure.vendors]]\nname = \"Mailferry\"", SecretsMode::Names).unwrap();
    assert_eq!(rules(&tables, "Mailferry had an outage."), ["vendor"]);
}

#[test]
fn a_configuration_that_says_nothing_knows_its_people_all_the_same() {
    let text = GOOD;
    let config = parse(Path::new("onscene.toml"), text, &crate::house::kinds(), SecretsMode::Skip).unwrap();
    assert_eq!(rules(&config, "Maya is on it."), ["colleague"]);
    assert!(rules(&config, "We are on it.").is_empty());
}

#[test]
fn lists_that_were_not_read_stop_everything() {
    let desk = Desk::with("", "");
    for mode in [SecretsMode::Skip, SecretsMode::Store] {
        let config = desk.read("customers_file = \"no such file\"", mode).unwrap();
        assert_eq!(rules(&config, "We are on it."), ["unreadable"]);
        let config = desk.read("hosts = [\"bifrost\"]", mode).unwrap();
        assert!(rules(&config, "We are on it.").is_empty());
    }
}

#[test]
fn what_is_wrong_is_told_with_file_and_line_and_never_with_the_name_of_a_customer() {
    let desk = Desk::with("maple\ntwo names\nall:\n", "Nordwind Bank\n--\n");
    let long = format!("Kestrel {}", "Logistics ".repeat(40));
    let longer = Desk::with("", &format!("Pallas Insurance\n{long}\n"));
    for (told, words) in [
        (desk.refused("hosts_file = \"hosts\""), "DIR/hosts:2: one name a line is wanted"),
        (desk.refused("hosts_file = \"hosts\""), "DIR/hosts:3: a name of a host has letters"),
        (desk.refused("hosts_file = \"none\""), "DIR/none cannot be read"),
        (desk.refused("customers_file = \"customers\""), "DIR/customers:2: a name in the configuration"),
        (longer.refused("customers_file = \"customers\""), "DIR/customers:2: a name in the configuration"),
        (desk.refused("customers_file = \"\""), "is no file"),
        (desk.refused("host = [\"x\"]"), "did you mean `hosts`?"),
        (desk.refused("hosts = [\"https://x.example\"]"), "without https://"),
        (desk.refused("hosts = [\"*.x.example\"]"), "belongs into `suffixes`"),
        (desk.refused("public_hosts = [\"a b\"]"), "a name of a host has letters"),
        (desk.refused("suffixes = [\"*\"]"), "`suffixes`: a name in the configuration"),
        (desk.refused("public_names = [\"-\"]"), "`public_names`: a name in the configuration"),
        (desk.refused("public_contacts = [\"help\"]"), "mail addresses and telephone numbers"),
        (desk.refused("vendors = [{ notice_hosts = [] }]"), "needs `name`"),
        (desk.refused("vendors = [{ name = \"x\", hosts = [] }]"), "has no key `hosts`"),
    ] {
        assert!(told.contains(words), "{words}: {told}");
        assert!(
            !told.contains("Nordwind") && !told.contains("Kestrel") && !told.contains("Pallas"),
            "{told}"
        );
    }
    let many = Desk::with("", &"--\n".repeat(9));
    let told = many.refused("customers_file = \"customers\"");
    assert!(told.contains("DIR/customers:5:") && !told.contains("DIR/customers:6:"), "{told}");
    assert!(told.contains("and 4 more lines like it"), "{told}");
}

#[test]
fn files_have_bounds() {
    let lines = Desk::with(&"maple\n".repeat(100_001), "");
    assert!(lines.refused("hosts_file = \"hosts\"").contains("more than 100000 lines"));
    let bytes = Desk::with("", &format!("# {}\n", "x".repeat(8 * 1024 * 1024)));
    assert!(bytes.refused("customers_file = \"customers\"").contains("that is no list of names"));
}

#[test]
fn names_that_would_stop_everything_and_files_that_everybody_reads_are_warned_of() {
    let desk = Desk::with("web\nnext\n", "Orchard & Pine\nNext\n");
    let customers = desk.directory.path().join("customers");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&customers, open).unwrap();
    let config = desk.read("hosts_file = \"hosts\"\ncustomers_file = \"customers\"", SecretsMode::Names);
    let warnings = config.unwrap().warnings.join("\n");
    assert!(warnings.contains("everybody on this machine can read the customers in"), "{warnings}");
    assert!(warnings.contains("customers:2: this customer is called like a word"), "{warnings}");
    assert!(warnings.contains("hosts:2: this machine is called like a word"), "{warnings}");
    assert!(!warnings.contains("Next"), "{warnings}");
}

#[test]
fn nothing_of_it_is_shown() {
    let desk = Desk::with("heimdall\n", "Nordwind Bank\n");
    let config = desk.read(ALL, SecretsMode::Names).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("Nordwind") && !shown.contains("heimdall"), "{shown}");
}
