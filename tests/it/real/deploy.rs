//! What deploy/ holds, judged by the programs it is written for: each judge is also shown a mistake, and must see it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::super::harness::{binary, program};
use super::cnpg::Shapes;
use super::{Authority, of_project, run, said};

const COMPOSE: &str = "deploy/compose/compose.yaml";
/// What `kubectl apply -k` takes, file by file.
const MANIFESTS: [&str; 5] = ["namespace", "onscene", "ingress", "network", "secret.example"];
/// Oldest and newest Kubernetes that the manifests are held against.
const KUBERNETES: [&str; 2] = ["1.34.0", "1.37.0"];
const CNPG: &str = "cnpg-3.20260607.103612.rs";

/// A judge that Debian has no package of.
fn judge(name: &str) -> Command {
    let path = of_project("target/validators/python/bin").join(name);
    assert!(path.is_file(), "this test needs {name}; tests/validators brings it, and tests/run calls that");
    Command::new(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(of_project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn manifest(name: &str) -> String {
    format!("deploy/kubernetes/{name}.yaml")
}

/// The documents of a YAML file.
fn documents(yaml: &str) -> Vec<Value> {
    let script = "import sys, yaml, json; print(json.dumps(list(yaml.safe_load_all(sys.argv[1]))))";
    serde_json::from_str(&run(judge("python").args(["-c", script, yaml]))).unwrap()
}

/// The one document of this kind and name.
fn document(yaml: &str, kind: &str, name: &str) -> Value {
    let mut all = documents(yaml).into_iter();
    all.find(|one| one["kind"] == kind && one["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// A copy with a mistake in it.
fn mistaken(text: &str, right: &str, wrong: &str) -> String {
    assert!(text.contains(right), "{right:?} is not there to be got wrong");
    text.replace(right, wrong)
}

fn refused(output: &Output, why: &str) {
    let said = said(output);
    assert!(!output.status.success() && said.contains(why), "it should be refused for {why:?}: {said}");
}

fn seconds(value: &Value) -> u64 {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no time"));
    text.strip_suffix('s').and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn the_linter_has_nothing_to_say_of_the_dockerfile() {
    run(judge("hadolint").arg(of_project("deploy/Dockerfile")));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("Dockerfile");
    fs::write(&path, mistaken(&read("deploy/Dockerfile"), "WORKDIR /src", "WORKDIR src")).unwrap();
    refused(&judge("hadolint").arg(path).output().unwrap(), "DL3000");
}

#[test]
fn the_compose_file_is_understood_by_compose_and_fits_its_specification() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("compose.yaml");
    let compose = |text: &str| {
        fs::write(&place, text).unwrap();
        let mut compose = Command::new(program(&["docker-compose"]));
        compose.args(["config", "-q"]).current_dir(directory.path()).output().unwrap()
    };
    let schema = |text: &str| {
        fs::write(&place, text).unwrap();
        judge("check-jsonschema")
            .args(["--builtin-schema", "vendor.compose-spec"])
            .arg(&place)
            .output()
            .unwrap()
    };
    let right = read(COMPOSE);
    for output in [compose(&right), schema(&right)] {
        assert!(output.status.success(), "{}", said(&output));
    }
    let misspelled = mistaken(&right, "stop_grace_period", "stop_grace_perod");
    refused(&compose(&misspelled), "stop_grace_perod");
    refused(&schema(&misspelled), "stop_grace_perod");
    refused(&compose(&mistaken(&right, "\"spool-3:/var", "\"spool-4:/var")), "spool-4");
}

#[test]
fn nodes_of_the_compose_file_are_closed_and_have_the_time_and_the_place_they_need() {
    let compose = documents(&read(COMPOSE)).remove(0);
    let services = compose["services"].as_object().unwrap();
    for (name, service) in services {
        let text = service.to_string();
        assert_eq!(service["read_only"], true, "{name} can write where it must not");
        assert!(text.contains("no-new-privileges:true") && text.contains("\"cap_drop\":[\"ALL\"]"), "{name}");
    }
    let toml = read("deploy/compose/config/onscene.toml");
    let mut spools = std::collections::BTreeSet::new();
    for name in ["onscene-1", "onscene-2", "onscene-3"] {
        let node = &services[name];
        let grace = seconds(&node["stop_grace_period"]);
        assert!(grace > onscene::app::STOP_MAX.as_secs(), "{name} is killed while it takes its time");
        spools.insert(node["volumes"][1].as_str().unwrap().to_owned());
        for secret in node["secrets"].as_array().unwrap() {
            let path = format!("\"/run/secrets/{}\"", secret.as_str().unwrap());
            assert!(toml.contains(&path), "{name} is given {path}, which its configuration does not read");
        }
        let count = node["secrets"].as_array().unwrap().len();
        assert_eq!(
            toml.matches("/run/secrets/").count(),
            count,
            "its configuration reads what it is not given"
        );
        assert!(read("deploy/compose/haproxy.cfg").contains(&format!("server {name} {name}:8087 check")));
    }
    assert_eq!(spools.len(), 3, "each node has a spool of its own");
    let secrets = compose["secrets"].as_object().unwrap();
    let manual = read("deploy/compose/README.md");
    for name in secrets.keys() {
        assert!(manual.contains(name.as_str()), "README.md does not say how to make secrets/{name}");
    }
}

#[test]
fn haproxy_understands_every_line_and_waits_long_enough() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new(directory.path());
    let pem = directory.path().join("leaf.pem");
    let certificate = authority.sign("leaf");
    fs::write(&pem, certificate + &fs::read_to_string(directory.path().join("leaf.key")).unwrap()).unwrap();
    let right = read("deploy/compose/haproxy.cfg").replace("/run/secrets/tls.pem", pem.to_str().unwrap());
    let path = directory.path().join("haproxy.cfg");
    let check = |text: &str| {
        fs::write(&path, text).unwrap();
        Command::new(program(&["haproxy"])).args(["-c", "-f"]).arg(&path).output().unwrap()
    };
    let output = check(&right);
    assert!(output.status.success(), "{}", said(&output));
    refused(&check(&mistaken(&right, "option redispatch", "option redispach")), "redispach");
    refused(&check(&mistaken(&right, "default_backend nodes", "default_backend node")), "node");
    // A POST may wait for the disk as long as this.
    let answer = right.lines().find_map(|line| line.trim().strip_prefix("timeout server ")).unwrap();
    assert!(seconds(&answer.into()) > 20 + 10);
}

#[test]
fn the_configurations_are_good_to_the_program_itself() {
    for (path, secrets) in [
        ("deploy/compose/config/onscene.toml", "/run/secrets/"),
        ("deploy/kubernetes/onscene.toml", "/run/secrets/onscene/"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let own = |name: &str| directory.path().join(name);
        Authority::new(directory.path());
        fs::rename(own("ca.pem"), own("store-ca.pem")).unwrap();
        for name in ["store-password", "mail-password", "pingdom-token"] {
            fs::write(own(name), format!("{name}-of-the-tests")).unwrap();
            let closed = std::os::unix::fs::PermissionsExt::from_mode(0o440);
            fs::set_permissions(own(name), closed).unwrap();
        }
        let text = read(path);
        let here = text.replace(secrets, &format!("{}/", directory.path().display()));
        let check = |text: &str| {
            fs::write(own("onscene.toml"), text).unwrap();
            Command::new(binary()).args(["check", "--config"]).arg(own("onscene.toml")).output().unwrap()
        };
        let output = check(&here);
        assert!(output.status.success(), "{path}: {}", said(&output));
        let warnings = said(&output).lines().filter(|line| line.starts_with("warning")).count();
        assert_eq!(warnings, 1, "only the missing TLS, which is somebody else's: {}", said(&output));
        assert!(here.contains("\nspool = \"/var/lib/onscene/spool\"\n") && here.contains("\n[emergency]\n"));
        assert!(here.contains("\nurl = \"postgres://"));
        refused(&check(&mistaken(&here, "spool =", "spol =")), "spool");
        // The placeholder of secret.example.yaml must not become the token of a source.
        fs::write(own("pingdom-token"), "change-me").unwrap();
        refused(&check(&here), "this token is too short");
    }
}

#[test]
fn kubernetes_knows_every_key_of_the_manifests() {
    let directory = tempfile::tempdir().unwrap();
    let check = |version: &str, path: &Path| {
        judge("kubernetes-validate").args(["--strict", "-k", version]).arg(path).output().unwrap()
    };
    for (name, version) in MANIFESTS.iter().flat_map(|name| KUBERNETES.map(|version| (name, version))) {
        let path = of_project(&manifest(name));
        let output = check(version, &path);
        assert!(output.status.success(), "{}", said(&output));
        // A kind that it does not know is passed over with a word.
        let passed = said(&output).matches(" passed for resource ").count();
        assert_eq!(passed, documents(&read(&manifest(name))).len(), "{}", said(&output));
    }
    let right = read(&manifest("onscene"));
    for (good, bad) in
        [("topologyKey", "topologykey"), ("replicas: 3", "replicas: three"), ("sleep:", "slep:")]
    {
        let path = directory.path().join("mistaken.yaml");
        fs::write(&path, mistaken(&right, good, bad)).unwrap();
        refused(&check(KUBERNETES[0], &path), "did not validate");
    }
}

#[test]
fn kustomize_puts_everything_together() {
    let render = |at: &Path| Command::new(program(&["kubectl"])).arg("kustomize").arg(at).output().unwrap();
    let at = of_project("deploy/kubernetes");
    let output = render(&at);
    assert!(output.status.success(), "{}", said(&output));
    let rendered = String::from_utf8(output.stdout).unwrap();
    let kinds: Vec<String> =
        documents(&rendered).iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect();
    let files = MANIFESTS.iter().filter(|name| !name.starts_with("secret"));
    let parts: usize = files.map(|name| documents(&read(&manifest(name))).len()).sum();
    // The database and the map of the configuration come to it; nobody's secrets do.
    assert_eq!(kinds.len(), parts + 2, "{kinds:?}");
    assert!(!kinds.iter().any(|kind| kind == "Secret"), "{kinds:?}");
    let pod = &document(&rendered, "StatefulSet", "onscene")["spec"]["template"]["spec"];
    let map = pod["volumes"][0]["configMap"]["name"].as_str().unwrap();
    let config = document(&rendered, "ConfigMap", map);
    assert_eq!(config["data"]["onscene.toml"], read("deploy/kubernetes/onscene.toml"));
    assert!(map.starts_with("onscene-"), "a changed configuration restarts the nodes: {map}");
    let image = pod["containers"][0]["image"].as_str().unwrap();
    assert!(image.ends_with(&format!(":{}", env!("CARGO_PKG_VERSION"))), "{image}");
    // A file it should hold and that is not there.
    let directory = tempfile::tempdir().unwrap();
    fs::copy(at.join("kustomization.yaml"), directory.path().join("kustomization.yaml")).unwrap();
    refused(&render(directory.path()), "namespace.yaml");
}

#[test]
fn the_database_is_what_its_operator_understands_and_what_the_store_needs() {
    let shapes = Shapes::read(&of_project("target/validators").join(CNPG));
    let text = read(&manifest("postgres"));
    let cluster = document(&text, "Cluster", "onscene-db");
    assert_eq!(shapes.faults(&cluster), Vec::<String>::new());
    for (right, wrong, fault) in [
        ("dataDurability: required", "dataDurabilty: required", "dataDurabilty is unknown"),
        ("dataDurability: required", "dataDurability: requird", "not one of"),
        ("instances: 3", "instances: three", "not i64"),
        ("      number: 1\n", "", "number is missing"),
        ("requests: {cpu", "request: {cpu", "request is unknown"),
    ] {
        let faults = shapes.faults(&documents(&mistaken(&text, right, wrong))[0]);
        assert!(faults.len() == 1 && faults[0].contains(fault), "{right} as {wrong}: {faults:?}");
    }
    // Answered means on the disks of two, and who takes over has it.
    let synchronous = &cluster["spec"]["postgresql"]["synchronous"];
    assert_eq!(synchronous["dataDurability"], "required");
    assert_eq!(synchronous["failoverQuorum"], true);
    assert!(cluster["spec"]["instances"].as_u64() >= Some(3), "one is lost, and two disks are left");
    let initdb = &cluster["spec"]["bootstrap"]["initdb"];
    let url = "url = \"postgres://onscene@onscene-db-rw.onscene.svc/onscene?sslmode=verify-full\"";
    assert!(read("deploy/kubernetes/onscene.toml").contains(url));
    assert_eq!((&initdb["owner"], &initdb["database"]), (&"onscene".into(), &"onscene".into()));
}

#[test]
fn nodes_in_kubernetes_have_the_time_and_the_files_they_need() {
    let text = read(&manifest("onscene"));
    let set = document(&text, "StatefulSet", "onscene");
    let pod = &set["spec"]["template"]["spec"];
    let node = &pod["containers"][0];
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    let before = node["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    assert!(grace > before + onscene::app::STOP_MAX.as_secs(), "it is killed while it takes its time");
    assert_eq!(node["readinessProbe"]["httpGet"]["path"], "/readyz");
    assert_eq!(node["livenessProbe"]["httpGet"]["path"], "/healthz");
    assert_eq!(set["spec"]["volumeClaimTemplates"][0]["metadata"]["name"], "spool");
    let mounts = node["volumeMounts"].as_array().unwrap();
    let at = |name: &str| mounts.iter().find(|mount| mount["name"] == name).unwrap()["mountPath"].clone();
    assert_eq!((at("spool"), at("config")), ("/var/lib/onscene".into(), "/etc/onscene".into()));
    // Every file that the configuration reads is put there, and no other.
    let secrets = at("secrets").as_str().unwrap().to_owned();
    let toml = read("deploy/kubernetes/onscene.toml");
    let mut given = 0;
    for secret in pod["volumes"][1]["projected"]["sources"].as_array().unwrap() {
        for item in secret["secret"]["items"].as_array().unwrap() {
            let path = format!("_file = \"{secrets}/{}\"", item["path"].as_str().unwrap());
            assert!(toml.contains(&path), "{path} is given and not read");
            given += 1;
        }
    }
    assert_eq!(toml.matches("/run/secrets/").count(), given, "something is read that is not given");
    let own = document(&read(&manifest("secret.example")), "Secret", "onscene");
    let keys = own["stringData"].as_object().unwrap();
    for item in pod["volumes"][1]["projected"]["sources"][0]["secret"]["items"].as_array().unwrap() {
        assert!(keys.contains_key(item["key"].as_str().unwrap()), "secret.example.yaml lacks {item}");
    }
}

#[test]
fn the_ingress_lets_in_what_people_and_senders_need_and_no_figures() {
    let ingress = document(&read(&manifest("ingress")), "Ingress", "onscene");
    let paths: Vec<(String, String)> = ingress["spec"]["rules"][0]["http"]["paths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["path"].as_str().unwrap().to_owned(), one["pathType"].as_str().unwrap().to_owned()))
        .collect();
    let comes_in = |path: &str| {
        paths.iter().any(|(prefix, kind)| match kind.as_str() {
            "Exact" => path == prefix,
            _ => path == prefix || path.starts_with(&format!("{prefix}/")),
        })
    };
    let router = read("src/http/router.rs");
    let routes: Vec<&str> =
        router.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(routes.len() > 10, "{routes:?}");
    for route in routes {
        let inside = ["/healthz", "/readyz", "/metrics"].contains(&route);
        assert_eq!(comes_in(route), !inside, "{route}");
    }
}
