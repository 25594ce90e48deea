//! Ghost, in development mode.

use std::net::SocketAddr;

use onscene::channels::ghost;
use serde_json::json;

use super::super::harness::request;
use super::*;

struct Ghost {
    _program: Program,
    _database: Database,
    address: SocketAddr,
    /// Of the owner, who is logged in.
    cookie: String,
    token: String,
}

impl Ghost {
    fn start() -> Self {
        let place = of_project("target/validators/ghost");
        assert!(place.join("list").is_file(), "this test needs Ghost; tests/validators installs it");
        let database = Database::start("ghost");
        let port = free_port();
        let copied = Command::new(program(&["cp"]))
            .arg("-r")
            .arg(place.join("content"))
            .arg(database.at("content"))
            .status();
        assert!(copied.is_ok_and(|copied| copied.success()));
        let log = fs::File::create(database.at("ghost.log")).unwrap();
        let mut server = Command::new(place.join("node"));
        server.arg("index.js").current_dir(&place).env("NODE_ENV", "development");
        let url = format!("http://127.0.0.1:{port}/");
        let (ports, content) = ([port, database.port].map(|port| port.to_string()), database.at("content"));
        for (name, value) in [
            ("url", url.as_str()),
            ("server__host", "127.0.0.1"),
            ("server__port", &ports[0]),
            ("database__client", "mysql"),
            ("database__connection__host", "127.0.0.1"),
            ("database__connection__port", &ports[1]),
            ("database__connection__user", "t"),
            ("database__connection__password", "words-of-a-test"),
            ("database__connection__database", "ghost"),
            ("paths__contentPath", content.to_str().unwrap()),
            ("logging__transports", "[\"stdout\"]"),
            // It asks its makers for nothing, and its owner for no code by mail.
            ("privacy__useUpdateCheck", "false"),
            ("privacy__useGravatar", "false"),
            ("security__staffDeviceVerification", "false"),
        ] {
            server.env(name, value);
        }
        server.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let program = Program(server.spawn().unwrap());
        let address = format!("127.0.0.1:{port}").parse().unwrap();
        within(BEGINS, "Ghost answers", || {
            request(address, "GET", "/ghost/api/admin/site/", &[], b"").filter(|answer| answer.status == 200)
        });
        let mut ghost = Self {
            _program: program,
            _database: database,
            address,
            cookie: String::new(),
            token: String::new(),
        };
        let owner = json!({"name": "Maya", "email": "maya@example.net", "password": "nine words of a test", "blogTitle": "Status"});
        ghost.ask("POST", "authentication/setup/", &json!({"setup": [owner]}));
        let login = json!({"username": "maya@example.net", "password": "nine words of a test"});
        let head = ghost.ask("POST", "session/", &login).1;
        let cookie = head
            .lines()
            .find_map(|line| line.to_lowercase().starts_with("set-cookie: ").then(|| &line[12..]));
        ghost.cookie = cookie.unwrap().split(';').next().unwrap().to_owned();
        let made = ghost
            .ask("POST", "integrations/?include=api_keys", &json!({"integrations": [{"name": "onscene"}]}))
            .0;
        let keys = made["integrations"][0]["api_keys"].as_array().unwrap();
        let key = keys.iter().find(|key| key["type"] == "admin").unwrap();
        ghost.token = key["secret"].as_str().unwrap().to_owned();
        ghost
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (Value, String) {
        let origin = format!("http://{}", self.address);
        let headers = [
            ("Origin", origin.as_str()),
            ("Content-Type", "application/json"),
            ("Cookie", self.cookie.as_str()),
        ];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let path = format!("/ghost/api/admin/{path}");
        let answer = request(self.address, method, &path, &headers, body.as_bytes()).unwrap();
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
        (serde_json::from_str(&answer.body).unwrap_or_default(), answer.head)
    }

    fn channel(&self, token: &str, path: &str) -> Channel {
        let url = format!("http://{}{path}", self.address);
        let texts = [("url", url.as_str()), ("private_addresses", "allow")];
        channel(&ghost::KIND, &texts, ("token", token), &[("tags", "Status")])
    }

    /// Every post of ours, whatever its status.
    fn posts(&self) -> Vec<Value> {
        let path =
            "posts/?filter=status:[published,draft]%2Btag:status&formats=html,lexical&include=tags&limit=50";
        self.ask("GET", path, &Value::Null).0["posts"].as_array().unwrap().clone()
    }

    /// What a reader fetches.
    fn page(&self, path: &str) -> String {
        let page = request(self.address, "GET", path, &[], b"").unwrap();
        assert_eq!(page.status, 200, "{page:?}");
        page.body
    }
}

#[tokio::test]
async fn an_incident_is_one_post_of_ghost_in_which_each_statement_stands_once() {
    let server = Ghost::start();
    let blog = server.channel(&server.token, "");
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
    let body = |page: &str| page.split_once("<article").unwrap().1.to_owned();
    let page = body(&server.page(&format!("/{slug}/")));
    let place = |words: &str| seen(&page).find(words).unwrap_or_else(|| panic!("{words}: {page}"));
    assert!(place("Identified – 23 November 2026, 02:33 UTC") < place("Investigating – 23 November 2026"));
    assert_eq!(seen(&page).matches("provider of cards").count(), 1, "{page}");

    // A correction leads to what it corrects, which stays.
    let third = statement(42, 3, Sort::Correction, Phase::Identified, "It is not the provider of cards.");
    let third = Parcel { thread_root: Some(root.clone()), ..mending(third, &second, &remote) };
    accepted(&blog, &third).await;
    let page = body(&server.page(&format!("/{slug}/")));
    let mark = format!("update-{}", second.delivery);
    assert!(page.contains(&format!("<a href=\"#{mark}\">23 November 2026")), "{page}");
    assert!(page.contains(&format!("id=\"{mark}\"")) && page.contains("It is the provider"), "{page}");

    // A person adds a paragraph of their own: it stays, and what is taken back goes.
    let post = server.posts().remove(0);
    let mut tree: Value = serde_json::from_str(post["lexical"].as_str().unwrap()).unwrap();
    let words = json!({"type": "extended-text", "version": 1, "text": "By hand.", "detail": 0, "format": 0, "mode": "normal", "style": ""});
    let own = json!({"type": "paragraph", "version": 1, "children": [words], "direction": "ltr", "format": "", "indent": 0});
    tree["root"]["children"].as_array_mut().unwrap().insert(1, own);
    let change = json!({"posts": [{"updated_at": post["updated_at"], "lexical": tree.to_string()}]});
    server.ask("PUT", &format!("posts/{}/", post["id"].as_str().unwrap()), &change);
    let fourth =
        statement(42, 4, Sort::Retraction, Phase::Identified, "We named somebody, and should not have.");
    let fourth = Parcel { thread_root: Some(root.clone()), ..mending(fourth, &second, &remote) };
    let taken = accepted(&blog, &fourth).await;
    assert_eq!(accepted(&blog, &Parcel { attempt: 2, ..fourth.clone() }).await, taken);
    let read = [format!("/{slug}/"), "/".to_owned(), "/rss/".to_owned()].map(|path| server.page(&path));
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
    let post = server.posts().remove(0);
    assert_eq!(post["title"], "Resolved: Online shop: \"payments\" fail");
    assert_eq!(post["tags"].as_array().unwrap().len(), 1);
    assert_eq!(post["email"], Value::Null);
    assert!(server.page("/").contains("Resolved: Online shop"));

    // Another incident of the same name and day has a post of its own. A late repeat of its first statement made a twin.
    let other = statement(43, 1, Sort::Update, Phase::Investigating, "Cards fail again.");
    let other_root = accepted(&blog, &other).await;
    let is_other = |post: &Value| other_root.starts_with(post["id"].as_str().unwrap());
    let other_post = server.posts().into_iter().find(is_other).unwrap();
    let twin = json!({"status": "published", "slug": other_post["slug"], "title": "Online shop",
        "lexical": other_post["lexical"], "tags": ["Status"]});
    let twin = server.ask("POST", "posts/", &json!({"posts": [twin]})).0;
    let expected = format!("{}-2", other_post["slug"].as_str().unwrap());
    assert_eq!((server.posts().len(), &twin["posts"][0]["slug"]), (3, &expected.into()), "it says nothing");

    // A statement whose root is not known finds the post, and the twin goes.
    let more = statement(43, 2, Sort::Update, Phase::Identified, "We know why.");
    let more = accepted(&blog, &Parcel { thread_root: Some("1700000000.000100".into()), ..more }).await;
    assert_eq!(more.split(' ').next(), other_root.split(' ').next());
    assert_eq!(server.posts().len(), 2);

    // What a person took from the readers is not given back to them; what was deleted is begun again.
    let other_post = server.posts().into_iter().find(is_other).unwrap();
    let path = format!("posts/{}/", other_post["id"].as_str().unwrap());
    let draft = json!({"posts": [{"updated_at": other_post["updated_at"], "status": "draft"}]});
    server.ask("PUT", &path, &draft);
    let next = statement(43, 4, Sort::Update, Phase::Monitoring, "Still.");
    let next = Parcel { thread_root: Some(other_root.clone()), ..next };
    let refused = blog.send(&next).await;
    assert!(
        matches!(&refused, Outcome::Refused { whole_channel: false, why } if why.contains("readers")),
        "{refused:?}"
    );
    server.ask("DELETE", &path, &Value::Null);
    let anew = accepted(&blog, &next).await;
    assert_ne!(anew.split(' ').next(), other_root.split(' ').next());

    faults(&server).await;
}

/// Whose fault it is, and what is too long.
async fn faults(server: &Ghost) {
    let letter = || statement(44, 1, Sort::Update, Phase::Investigating, "Cards fail.");
    let refused = |why: &str, whole_channel| Outcome::Refused { why: why.into(), whole_channel };
    let (id, _) = server.token.split_once(':').unwrap();
    let wrong = server.channel(&format!("{id}:{}", "ab".repeat(32)), "").send(&letter()).await;
    assert_eq!(wrong, refused("answered 401 (INVALID_JWT)", true));
    let elsewhere = server.channel(&server.token, "/nowhere").send(&letter()).await;
    assert!(matches!(&elsewhere, Outcome::Refused { whole_channel: true, .. }), "{elsewhere:?}");
    let count = server.posts().len();
    let blog = server.channel(&server.token, "");
    let mut long = letter();
    let said = long.statement.as_mut().unwrap();
    said.title = "é".repeat(245);
    let shown = blog.shows(&long);
    assert_eq!((shown.size, shown.most, shown.fits()), (255, 255, true));
    accepted(&blog, &Parcel { incident: 45, ..long.clone() }).await;
    long.statement.as_mut().unwrap().sort = Sort::Closing;
    accepted(&blog, &Parcel { incident: 45, delivery: crypto::random_id().unwrap(), ..long.clone() }).await;
    long.statement.as_mut().unwrap().title.push('é');
    assert!(!blog.shows(&long).fits());
    assert_eq!(blog.send(&long).await, refused("its title has more than 255 characters", false));
    assert_eq!(server.posts().len(), count + 1);
}
