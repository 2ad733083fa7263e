//! What changes from one configuration to another, as people and programs are told.

use super::*;

fn config(text: &str, folder: &Path) -> Config {
    Config::parse(&format!("{text}{UPSTREAM}"), "c.toml", folder).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The lines of the diff of two texts.
fn lines(old: &str, new: &str, folder: &Path) -> Vec<String> {
    let diff = config(old, folder).declared.diff(&config(new, folder).declared);
    diff.changes.iter().map(ToString::to_string).collect()
}

#[test]
fn each_key_that_says_something_else_is_named_with_both_values() {
    let account = |rest: &str| format!("[[account]]\nsystem_id = 'a'\ncountry = 'BE'\n{rest}");
    for (old, new, expected) in [
        ("", "# a comment", &[][..]),
        ("listen.window = 10", "[listen]\nwindow = 10", &[]),
        ("listen.window = 10", "listen.window = 20", &["~ listen.window: 10 -> 20"]),
        ("", "listen.bind_timeout = '1s'", &["+ listen.bind_timeout: \"1s\""]),
        ("listen.trusted_proxies = ['10.0.0.0/8']", "", &["- listen.trusted_proxies: [\"10.0.0.0/8\"]"]),
        (
            "country.BE.hours = { sat = 'closed' }",
            "country.BE.hours = { sat = 'none', sun = 'none' }",
            &["~ country.BE.hours.sat: \"closed\" -> \"none\"", "+ country.BE.hours.sun: \"none\""],
        ),
    ] {
        assert_eq!(lines(old, new, Path::new("/base")), expected, "{old}\n{new}");
    }
    // Tables of an array go by their names, whatever their order is.
    let two = |rate: u32, senders: &str| {
        account(&format!("rate = {{ per_second = {rate} }}\nsender = [{senders}]\n[[account]]\nsystem_id = 'b'\n"))
    };
    let (old, new) = (two(5, "{ id = 'A' }, { id = 'B' }"), two(6, "{ id = 'B' }, { id = 'C' }"));
    let expected = [
        "~ account[a].rate.per_second: 5 -> 6",
        "- account[a].sender[A].id: \"A\"",
        "+ account[a].sender[C].id: \"C\"",
    ];
    assert_eq!(lines(&old, &new, Path::new("/base")), expected);
}

#[test]
fn secrets_are_said_to_have_changed_and_no_more() {
    let text = |hash: &str, password: &str| {
        format!(
            "[[account]]\nsystem_id = 'a'\npassword_hash = '{hash}'\nupstream_system_id = 'x'\n\
             upstream_password = '{password}'\n"
        )
    };
    let other = HASH.replace("c29tZXNhbHQ", "b3RoZXJzYWx0");
    let (old, new) = (text(HASH, "hunter2"), text(&other, "hunter3"));
    let expected = ["~ account[a].password_hash", "~ account[a].upstream_password"];
    assert_eq!(lines(&old, &new, Path::new("/base")), expected);
    assert_eq!(lines(&old, &old, Path::new("/base")), [""; 0]);
    let diff = config(&old, Path::new("/base")).declared.diff(&config(&new, Path::new("/base")).declared);
    let seen = format!("{:?}{}{diff:?}", config(&old, Path::new("/base")).declared, serde_json::json!(diff));
    for secret in ["hunter", "argon2", "RdescudvJCsg"] {
        assert!(!seen.contains(secret), "{secret}: {seen}");
    }
}

#[test]
fn files_count_by_what_is_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let list = |word: &str| {
        let text = format!(
            "rule = 'content'\nlanguage = 'en'\nclause = 30\ncategory = 'own'\n[[entry]]\nid = 'own-1'\nmatch = ['{word}']\n"
        );
        std::fs::write(folder.path().join("own.toml"), text).unwrap();
        config("policy.lists.files = ['own.toml']\n", folder.path())
    };
    let (old, new) = (list("zorble"), list("flummox"));
    let diff = old.declared.diff(&new.declared);
    let [change] = &diff.changes[..] else { panic!("{diff:?}") };
    assert_eq!((change.key.as_str(), change.change), ("policy.lists.files[own.toml]", ChangeKind::Changed));
    for said in [&change.old, &change.new] {
        assert!(said.as_ref().unwrap().starts_with("own.toml (sha256 "), "{change}");
    }
    assert_ne!(change.old, change.new);
    // What is judged by is another, though the file is the same.
    assert_ne!(old.version, new.version);
    assert_eq!(old.declared.files().collect::<Vec<_>>(), ["own.toml"]);
    // Of a file that names no other, anybody can tell the version.
    let digest: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(UPSTREAM).into();
    assert_eq!(config("", folder.path()).version.to_be_bytes(), digest[..8]);
}

#[test]
fn of_a_key_file_not_even_a_hash_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let secret = |text: &str| {
        std::fs::write(folder.path().join("secret"), text).unwrap();
        let keys = "[admin]\nwebhook = 'https://example.net/e'\nwebhook_secret_file = 'secret'\n";
        config(keys, folder.path()).declared
    };
    let (old, new) = (secret("0123456789abcdef"), secret("fedcba9876543210"));
    let lines: Vec<String> = old.diff(&new).changes.iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["~ admin.webhook_secret_file: secret, of which the contents have changed"]);
}

#[test]
fn what_waits_for_the_next_start_is_told_apart() {
    let both =
        |old: &str, new: &str| config(old, Path::new("/b")).declared.diff(&config(new, Path::new("/b")).declared);
    let diff = both(
        "",
        "listen.window = 5\naudit.queue = 7\npolicy.concatenation.window = '1m'\npolicy.repetition.recipients = 5\n\
         policy.repetition.unanswered = 5\nlog.level = 'warn'\nreload.watch = true\n[[account]]\nsystem_id = 'a'\n[admin]\n",
    );
    let expected = [
        "admin",
        "audit.queue",
        "listen.window",
        "log.level",
        "policy.concatenation.window",
        "policy.repetition.recipients",
        "reload.watch",
    ];
    assert_eq!(diff.waits_for_start(true).collect::<Vec<_>>(), expected);
}

#[test]
fn a_diff_has_a_bound() {
    let accounts = |count: usize| (0..count).map(|n| format!("[[account]]\nsystem_id = 'a{n}'\n")).collect::<String>();
    let diff = config("", Path::new("/b")).declared.diff(&config(&accounts(1200), Path::new("/b")).declared);
    assert_eq!((diff.changes.len(), diff.more), (1000, 200));
    let long = |c: char| format!("[report]\nprovider = '{}'\ncontact = 'c'\n", c.to_string().repeat(900));
    let lines = lines(&long('x'), &long('y'), Path::new("/b"));
    assert!(lines[0].len() < 500, "{lines:?}");
}
