//! WordPress of Debian, by PHP's own server.

use std::net::SocketAddr;

use onscene::channels::wordpress;

use super::super::harness::{eventually, request};
use super::*;

struct WordPress {
    _program: Program,
    _database: Database,
    address: SocketAddr,
    /// Of an author, and of somebody who may only read.
    passwords: [String; 2],
}

impl WordPress {
    fn start() -> Self {
        let installed = Path::new("/usr/share/wordpress/wp-settings.php").is_file();
        assert!(installed, "this test needs WordPress; tests/run installs it");
        let database = Database::start("wordpress");
        let (port, content) = (free_port(), database.at("content"));
        fs::create_dir_all(content.join("themes/plain")).unwrap();
        for file in ["index.php", "style.css"] {
            let theme = of_project("tests/wordpress/theme").join(file);
            fs::copy(theme, content.join("themes/plain").join(file)).unwrap();
        }
        let php = || {
            let mut php = Command::new(program(&["php"]));
            php.env("WORDPRESS_DATABASE_PORT", database.port.to_string());
            php.env("WORDPRESS_URL", format!("http://127.0.0.1:{port}")).env("WORDPRESS_CONTENT", &content);
            php.stdin(Stdio::null()).current_dir(database.directory.path());
            php
        };
        let made = php().arg(of_project("tests/wordpress/install.php")).output().unwrap();
        let said = String::from_utf8_lossy(&made.stdout);
        let made: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{made:?}"));
        let passwords = ["password", "readers"].map(|name| made[name].as_str().unwrap().to_owned());
        let log = fs::File::create(database.at("php.log")).unwrap();
        let mut server = php();
        server.args(["-S", &format!("127.0.0.1:{port}")]).arg(of_project("tests/wordpress/serve.php"));
        server.stdout(log.try_clone().unwrap()).stderr(log);
        let program = Program(server.spawn().unwrap());
        let address = format!("127.0.0.1:{port}").parse().unwrap();
        within(BEGINS, "WordPress answers", || {
            request(address, "GET", "/wp-json/", &[], b"").filter(|answer| answer.status == 200)
        });
        Self { _program: program, _database: database, address, passwords }
    }

    fn channel(&self, user: &str, password: &str, path: &str, tag: &str) -> Channel {
        let url = format!("http://{}{path}", self.address);
        let texts = [("url", url.as_str()), ("user", user), ("private_addresses", "allow")];
        channel(&wordpress::KIND, &texts, ("password", password), &[("categories", "status"), ("tags", tag)])
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let login = format!("onscene:{}", self.passwords[0]);
        let login = format!("Basic {}", crypto::base64(login.as_bytes()));
        let headers = [("Authorization", login.as_str()), ("Content-Type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = request(self.address, method, path, &headers, body.as_bytes()).unwrap();
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
        answer.json()
    }

    /// Every post of an incident, whatever its status, in the words of the API.
    fn posts(&self) -> Vec<Value> {
        let found =
            self.ask("GET", "/wp-json/wp/v2/posts?status=any&context=edit&search=Online", &Value::Null);
        found.as_array().unwrap().clone()
    }

    /// What a reader fetches.
    fn page(&self, path: &str) -> String {
        let page = request(self.address, "GET", path, &[], b"").unwrap();
        assert_eq!(page.status, 200, "{page:?}");
        page.body
    }
}

#[tokio::test]
async fn an_incident_is_one_post_of_wordpress_in_which_each_statement_stands_once() {
    let server = WordPress::start();
    let blog = server.channel("onscene", &server.passwords[0], "", "shop");
    let text = format!("{SLY}\nsecond line\n\nPayments by invoice work.");
    let first = statement(42, 1, Sort::Update, Phase::Investigating, &text);
    let root = accepted(&blog, &first).await;
    // The answer was lost: the same letter again.
    assert_eq!(accepted(&blog, &Parcel { attempt: 2, ..first.clone() }).await, root);
    let posts = server.posts();
    assert_eq!(posts.len(), 1, "{posts:?}");
    let slug = posts[0]["slug"].as_str().unwrap();
    let digits = slug.strip_prefix("2026-11-23-").unwrap_or_else(|| panic!("{slug}"));
    assert!(
        digits.len() == 10 && digits.bytes().all(|one| one.is_ascii_hexdigit()),
        "no word, no number: {slug}"
    );
    assert_eq!(
        (posts[0]["categories"].as_array().unwrap().len(), posts[0]["tags"].as_array().unwrap().len()),
        (1, 1)
    );
    let page = server.page(&format!("/{slug}/"));
    let shown = blog.shows(&first);
    assert!(shown.fits());
    for line in shown.text.lines().filter(|line| !line.is_empty()) {
        assert!(seen(&page).contains(line), "{line}: {}", seen(&page));
    }
    assert!(!page.contains("<b>") && !page.contains("42-1") && !page.contains("<iframe"), "{page}");

    // The second finds the post by its root, and stands on top.
    let second = statement(42, 2, Sort::Update, Phase::Identified, "It is the provider of cards.");
    let second = Parcel { thread_root: Some(root.clone()), ..second };
    let remote = accepted(&blog, &second).await;
    assert_eq!(accepted(&blog, &Parcel { attempt: 2, ..second.clone() }).await, remote);
    let page = server.page(&format!("/{slug}/"));
    let place = |words: &str| seen(&page).find(words).unwrap_or_else(|| panic!("{words}: {page}"));
    assert!(place("Identified – 23 November 2026, 02:33 UTC") < place("Investigating – 23 November 2026"));
    assert_eq!(page.matches("provider of cards").count(), 1, "{page}");

    // A correction leads to what it corrects, which stays.
    let third = statement(42, 3, Sort::Correction, Phase::Identified, "It is not the provider of cards.");
    let third = Parcel { thread_root: Some(root.clone()), ..mending(third, &second, &remote) };
    accepted(&blog, &third).await;
    let page = server.page(&format!("/{slug}/"));
    let mark = format!("update-{}", second.delivery);
    assert!(page.contains(&format!("Corrects&#058; <a href=\"#{mark}\">23 November 2026")), "{page}");
    assert!(page.contains(&format!("id=\"{mark}\"")) && page.contains("It is the provider"), "{page}");

    // A person adds something of their own, in a group around ours: it stays, and what is taken back goes.
    let raw = server.posts()[0]["content"]["raw"].as_str().unwrap().to_owned();
    let own = format!(
        "<!-- wp:group -->\n<div class=\"wp-block-group\">{raw}</div>\n<!-- /wp:group -->\n<p>By hand.</p>"
    );
    let id = server.posts()[0]["id"].to_string();
    server.ask("POST", &format!("/wp-json/wp/v2/posts/{id}"), &serde_json::json!({"content": own}));
    let fourth =
        statement(42, 4, Sort::Retraction, Phase::Identified, "We named somebody, and should not have.");
    let fourth = Parcel { thread_root: Some(root.clone()), ..mending(fourth, &second, &remote) };
    let taken = accepted(&blog, &fourth).await;
    assert_eq!(accepted(&blog, &Parcel { attempt: 2, ..fourth.clone() }).await, taken);
    let read = [format!("/{slug}/"), "/".to_owned(), "/feed/".to_owned()].map(|path| server.page(&path));
    for page in &read {
        assert!(!page.contains("It is the provider"), "{page}");
    }
    let page = &read[0];
    assert!(
        page.contains("By hand.") && page.contains("should not have") && page.contains("second line"),
        "{page}"
    );
    assert!(seen(page).contains("Takes back: 23 November 2026, 02:33 UTC"), "{page}");

    // It is over, and a list of posts says so.
    let fifth = statement(42, 5, Sort::Closing, Phase::Resolved, "Cards work since 02:50 UTC.");
    accepted(&blog, &Parcel { thread_root: Some(root.clone()), ..fifth }).await;
    let title =
        server.ask("GET", "/wp-json/wp/v2/posts?search=Online", &Value::Null)[0]["title"]["rendered"].clone();
    assert_eq!(seen(&format!(">{}", title.as_str().unwrap())), "Resolved: Online shop: \"payments\" fail");
    assert_eq!(server.posts().len(), 1);

    // Another incident of the same name and day has a post of its own. A late repeat of its first statement made a twin.
    let other = statement(43, 1, Sort::Update, Phase::Investigating, "Cards fail again.");
    let other_root = accepted(&blog, &other).await;
    let is_other = |post: &Value| other_root.starts_with(&format!("{} ", post["id"]));
    let other_post = server.posts().into_iter().find(is_other).unwrap();
    let twin = serde_json::json!({"status": "publish", "slug": other_post["slug"], "title": "Online shop",
        "content": other_post["content"]["raw"]});
    let twin = server.ask("POST", "/wp-json/wp/v2/posts", &twin);
    let expected = format!("{}-2", other_post["slug"].as_str().unwrap());
    assert_eq!((server.posts().len(), &twin["slug"]), (3, &expected.into()), "it says nothing");

    // A statement whose root is not known finds the post, and the twin goes.
    let more = statement(43, 2, Sort::Update, Phase::Identified, "We know why.");
    let more = accepted(&blog, &Parcel { thread_root: Some("1700000000.000100".into()), ..more }).await;
    assert_eq!(more.split(' ').next(), other_root.split(' ').next());
    assert_eq!(server.posts().len(), 2);

    // What a person took from the readers is not given back to them; what is in the trash is begun again.
    let id = other_post["id"].to_string();
    let path = format!("/wp-json/wp/v2/posts/{id}");
    server.ask("POST", &path, &serde_json::json!({"status": "draft"}));
    let next = Parcel {
        thread_root: Some(other_root.clone()),
        ..statement(43, 4, Sort::Update, Phase::Monitoring, "Still.")
    };
    let refused = blog.send(&next).await;
    assert!(
        matches!(&refused, Outcome::Refused { whole_channel: false, why } if why.contains("readers")),
        "{refused:?}"
    );
    server.ask("DELETE", &path, &Value::Null);
    let anew = accepted(&blog, &next).await;
    assert_ne!(anew.split(' ').next(), other_root.split(' ').next());
    assert!(server.page("/").contains("Still."));

    faults(&server).await;
}

/// Whose fault it is.
async fn faults(server: &WordPress) {
    let refused = |why: &str| Outcome::Refused { why: why.into(), whole_channel: true };
    let letter = || statement(44, 1, Sort::Update, Phase::Investigating, "Cards fail.");
    let [right, readers] = &server.passwords;
    let stranger = server.channel("onscene", "wrong words", "", "shop").send(&letter()).await;
    let unknown = refused("answered 400 (rest_forbidden_status): a wrong password, or no author");
    assert_eq!(stranger, unknown);
    let reader = server.channel("reader", readers, "", "shop").send(&letter()).await;
    assert_eq!(reader, unknown);
    let elsewhere = server.channel("onscene", right, "/nowhere", "shop").send(&letter()).await;
    assert!(matches!(&elsewhere, Outcome::Refused { whole_channel: true, .. }), "{elsewhere:?}");
    let tag = server.channel("onscene", right, "", "nosuchtag").send(&letter()).await;
    assert_eq!(tag, refused("it has no nosuchtag among its tags"));
    let count = server.posts().len();
    let plain = Parcel { statement: None, ..letter() };
    let only = server.channel("onscene", right, "", "shop").send(&plain).await;
    assert!(matches!(only, Outcome::Refused { whole_channel: false, .. }), "{only:?}");
    eventually("nothing was written", || (server.posts().len() == count).then_some(()));
}
