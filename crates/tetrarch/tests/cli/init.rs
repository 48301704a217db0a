//! `tetrarch init`, `cert` and `context`: what stands where, who may read it, who it names.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;

use super::run::tetrarch;

const NODES: [&str; 6] = [
    "--node",
    "n1=127.0.0.1:7101",
    "--node",
    "n2=127.0.0.1:7102",
    "--node",
    "n3=127.0.0.1:7103",
];

fn init(dir: &Path) {
    tetrarch(dir, &[&["init", "mesh"][..], &NODES].concat()).ok();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn pem(path: &Path) -> Pem {
    let bytes = fs::read(path).unwrap();
    Pem::iter_from_buffer(&bytes).next().unwrap().unwrap()
}

/// The URI of a certificate, whether it may serve and dial, and that `ca` signed it.
fn certificate(path: &Path, ca: &Path) -> (String, bool, bool) {
    let (pem, ca) = (pem(path), pem(ca));
    let (cert, ca) = (pem.parse_x509().unwrap(), ca.parse_x509().unwrap());
    cert.verify_signature(Some(ca.public_key())).unwrap();
    assert!(cert.validity().is_valid());
    let names = cert.subject_alternative_name().unwrap().unwrap();
    let [GeneralName::URI(uri)] = names.value.general_names[..] else {
        panic!("one URI and nothing else: {names:?}");
    };
    let usage = cert.extended_key_usage().unwrap().unwrap().value;
    (uri.to_owned(), usage.server_auth, usage.client_auth)
}

fn trust(dir: &Path) -> String {
    let context = tetrarch(dir, &["context", "--json"]).ok();
    let context: serde_json::Value = serde_json::from_str(&context).unwrap();
    format!("{}.tetrarch", &context["cluster"].as_str().unwrap()[..16])
}

#[test]
fn every_file_is_in_its_place_and_secrets_are_secret() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let mesh = dir.path().join("mesh");
    let names: BTreeSet<_> = fs::read_dir(&mesh)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected = ["ca.key", "ca.pem", "client", "mesh.toml", "n1", "n2", "n3"];
    assert_eq!(names, expected.map(str::to_owned).into());
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
    for secret in [
        "ca.key",
        "n1/node.key",
        "n2/node.key",
        "n3/node.key",
        "client/client.key",
    ] {
        assert_eq!(mode(&mesh.join(secret)), 0o600, "{secret}");
    }
    for file in [
        "n1/node.toml",
        "n1/node.pem",
        "n1/ca.pem",
        "client/client.toml",
        "client/client.pem",
    ] {
        assert!(mesh.join(file).is_file(), "{file}");
    }
}

#[test]
fn certificates_name_their_holder_and_say_what_it_may_do() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let trust = trust(dir.path());
    let mesh = dir.path().join("mesh");
    let ca = mesh.join("ca.pem");
    let node = certificate(&mesh.join("n2/node.pem"), &ca);
    assert_eq!(node, (format!("spiffe://{trust}/node/n2"), true, true));
    let client = certificate(&mesh.join("client/client.pem"), &ca);
    assert_eq!(
        client,
        (format!("spiffe://{trust}/client/admin"), false, true)
    );
}

#[test]
fn a_directory_that_holds_something_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("mesh")).unwrap();
    fs::write(dir.path().join("mesh/precious"), "x").unwrap();
    let ran = tetrarch(dir.path(), &[&["init", "mesh"][..], &NODES].concat());
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.contains("mesh exists and is not empty"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("hint: "), "{}", ran.err);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(dir.path().join("mesh")).unwrap().count(), 1);
}

#[test]
fn nodes_that_cannot_be_are_usage_errors() {
    let dir = tempfile::tempdir().unwrap();
    for node in [
        "n1",
        "n1=0.0.0.0:1",
        "client=127.0.0.1:1",
        "n/1=127.0.0.1:1",
        "n1=127.0.0.1:0",
    ] {
        let ran = tetrarch(dir.path(), &["init", "m", "--node", node]);
        assert_eq!(ran.code, 2, "{node}: {}", ran.err);
    }
    let twice = ["init", "m", "--node", "a=h:1", "--node", "a=h:2"];
    assert_eq!(tetrarch(dir.path(), &twice).code, 2);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn clients_and_nodes_are_added_and_nodes_renewed_later() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path());
    let trust = trust(dir.path());
    let mesh = dir.path().join("mesh");
    let ca = mesh.join("ca.pem");

    tetrarch(dir.path(), &["cert", "client", "alice"]).ok();
    let alice = certificate(&mesh.join("clients/alice/client.pem"), &ca);
    assert_eq!(
        alice,
        (format!("spiffe://{trust}/client/alice"), false, true)
    );
    assert_eq!(mode(&mesh.join("clients/alice/client.key")), 0o600);
    let shown = tetrarch(dir.path(), &["context", "--mesh", "mesh/clients/alice"]).ok();
    assert!(shown.contains("/client/alice"), "{shown}");
    assert_eq!(tetrarch(dir.path(), &["cert", "client", "alice"]).code, 3);

    assert_eq!(tetrarch(dir.path(), &["cert", "node", "n4"]).code, 2);
    tetrarch(
        dir.path(),
        &["cert", "node", "n4", "--address", "127.0.0.1:7104"],
    )
    .ok();
    let fourth = certificate(&mesh.join("n4/node.pem"), &ca);
    assert_eq!(fourth, (format!("spiffe://{trust}/node/n4"), true, true));

    let before = fs::read(mesh.join("n4/node.key")).unwrap();
    tetrarch(dir.path(), &["cert", "node", "n4"]).ok();
    assert_ne!(before, fs::read(mesh.join("n4/node.key")).unwrap());
    assert_eq!(mode(&mesh.join("n4/node.key")), 0o600);
    assert_eq!(certificate(&mesh.join("n4/node.pem"), &ca), fourth);
}

#[test]
fn without_a_mesh_the_error_says_how_to_name_or_make_one() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        &["context"][..],
        &["context", "--mesh", "nowhere"],
        &["cert", "client", "a"],
    ] {
        let ran = tetrarch(dir.path(), args);
        assert_eq!(ran.code, 3, "{args:?}");
        assert!(ran.err.contains("hint: name it with --mesh"), "{}", ran.err);
    }
}
