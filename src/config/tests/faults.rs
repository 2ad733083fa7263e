//! What is wrong with a file: each fault with its line, column and key.

use super::*;

#[test]
fn faults_of_syntax_and_keys() {
    assert_table(&[
        ("[listen]\nwindow = ", "2:10: syntax", "a value is missing, or a string is not quoted"),
        ("[listen]\nwindow = 1\nwindow = 2", "3:1: syntax", "\"window\" is given twice"),
        ("[listen\nwindow = 1", "1:8: syntax", "unclosed table; expected `]`"),
        ("[listen]\nadress = 'x'", "2:1: listen.adress", "unknown key; did you mean \"address\"?"),
        ("[listen]\nqwertyuiop = 'x'", "2:1: listen.qwertyuiop", "unknown key; expected one of address, bind_timeout"),
        ("  [acount]\nx = 1", "1:4: acount", "unknown table; did you mean \"account\"?"),
        ("listen = 3", "1:10: listen", "is the integer 3; expected a table"),
        (
            "[account]\nsystem_id = 'a'",
            "1:1: account",
            "is a table; expected an array of tables, each headed [[account]]",
        ),
        (
            "[[account]]\nsystem_id = 'a'\n[[account]]\nsystem_id = 'b'\nsender = 'B'",
            "5:10: account[1].sender",
            "is \"B\"; expected an array of tables, each headed [[account.sender]]",
        ),
        ("account = [1]", "1:12: account[0]", "is the integer 1; expected a table"),
        ("\"\\n\" = 1", "1:1: \"\\n\"", "unknown key"),
        (
            "[policy.destiny]\nmode = 'off'",
            "1:9: policy.destiny",
            "expected one of account, brand, campaign, concatenation, consent, content",
        ),
    ]);
}

#[test]
fn faults_of_values() {
    assert_table(&[
        ("[listen]\nwindow = 0", "2:10: listen.window", "is the integer 0; expected an integer from 1 to 1000000"),
        (
            "[policy.repetition]\nunanswered = 512",
            "2:14: policy.repetition.unanswered",
            "is the integer 512; expected an integer from 1 to 511",
        ),
        ("[listen]\nwindow = -1", "2:10: listen.window", "is the integer -1"),
        ("[listen]\nwindow = 99999999999999999999999", "2:10: listen.window", "expected an integer"),
        ("[listen]\nwindow = 1.5", "2:10: listen.window", "is a float; expected an integer"),
        ("[listen]\nwindow = '5'", "2:10: listen.window", "is \"5\"; expected an integer"),
        ("[listen]\nproxy_protocol = 'no'", "2:18: listen.proxy_protocol", "expected true or false"),
        ("[listen]\nproxy_protocol = true", "2:18: listen.proxy_protocol", "list in trusted_proxies"),
        ("[listen]\nbind_timeout = '5'", "2:16: listen.bind_timeout", "expected a duration"),
        ("[listen]\nbind_timeout = 5", "2:16: listen.bind_timeout", "is the integer 5; expected a duration"),
        ("[listen]\nbind_timeout = '0s'", "2:16: listen.bind_timeout", "expected a duration"),
        ("[listen]\nbind_timeout = '25h'", "2:16: listen.bind_timeout", "expected a duration"),
        ("[listen]\nbind_timeout = '99999999999999999999h'", "2:16: listen.bind_timeout", "expected a duration"),
        ("[listen]\nbind_timeout = 'é'", "2:16: listen.bind_timeout", "is \"é\""),
        ("[listen]\nmax_frame = '15B'", "2:13: listen.max_frame", "expected a size from \"16B\" to \"1MiB\""),
        ("[listen]\nmax_frame = 15", "2:13: listen.max_frame", "expected a size"),
        ("[listen]\nmax_frame = '2MiB'", "2:13: listen.max_frame", "expected a size"),
        ("[listen]\nmax_frame = '64KB'", "2:13: listen.max_frame", "expected a size"),
        ("[listen]\nread_buffers_total = '1KiB'", "2:22: listen.read_buffers_total", "is less than max_frame (80KiB)"),
        ("[listen]\naddress = 'localhost:2775'", "2:11: listen.address", "expected an IP address and a port"),
        ("[listen]\naddress = '127.0.0.1:99999'", "2:11: listen.address", "expected an IP address and a port"),
        ("[listen]\ntrusted_proxies = ['::1', '10.0.0.0/33']", "2:27: listen.trusted_proxies[1]", "expected a network"),
        ("[listen]\ntrusted_proxies = '10.0.0.0/8'", "2:19: listen.trusted_proxies", "expected an array"),
        ("[audit]\nstore_text = 'all'", "2:14: audit.store_text", "expected \"never\""),
        ("[journal]\nkeep = '9h'", "2:8: journal.keep", "expected an age in days"),
        ("[journal]\nkeep = '3651d'", "2:8: journal.keep", "expected an age in days"),
        ("[journal]\nqueue = '1KiB'", "2:9: journal.queue", "expected a size from \"1MiB\""),
        ("[audit]\npath = ''", "2:8: audit.path", "expected a path"),
        ("[admin]\naddress = '127.0.0.1:2775'", "2:11: admin.address", "is listen.address too"),
        (
            "[admin]\ntoken_file = 't'\nviewer_token_file = 't'",
            "3:21: admin.viewer_token_file",
            "is another role's file too",
        ),
        (
            "[accounts]\nunknown = 'nobody'",
            "2:11: accounts.unknown",
            "names no account (\"nobody\"); expected \"reject\"",
        ),
        ("[policy.sender]\nmode = 'on'", "2:8: policy.sender.mode", "expected \"enforce\" or \"shadow\" or \"off\""),
        ("[policy.sender]\nstatus = 'ESME_ROK'", "2:10: policy.sender.status", "refused message was accepted"),
        ("[policy.sender]\nstatus = 'ESME_RTHROTTLED'", "2:10: policy.sender.status", "no retry cures"),
        ("[policy.account]\nstatus = 'ESME_RSYSERR'", "2:10: policy.account.status", "no retry cures"),
        ("[policy.rate]\nstatus = 'ESME_ROK'", "2:10: policy.rate.status", "is ESME_ROK"),
        ("[policy.rate]\nstatus = 'ESME_RTHROTTLD'", "2:10: policy.rate.status", "did you mean \"ESME_RTHROTTLED\"?"),
        ("[policy.rate]\nstatus = 88", "2:10: policy.rate.status", "expected the name of a command_status"),
        (
            "[policy.concatenation]\nreferences = 5\nreferences_per_account = 6",
            "3:26: policy.concatenation.references_per_account",
            "is more than references; expected",
        ),
    ]);
}

#[test]
fn faults_of_upstreams() {
    for (text, start, fragment) in [
        ("", "1:1: upstream", "is missing; add [upstream.NAME]"),
        ("# c\n[upstream.a]\nbackup = []", "2:1: upstream.a.address", "is missing"),
        ("[upstream.'a b']\naddress = 'x'", "2:11: upstream.\"a b\".address", "expected a host and a port"),
        ("[upstream.a]\naddress = 'x:0'", "2:11: upstream.a.address", "expected a host and a port"),
        ("[upstream.a]\naddress = 'x:+1'", "2:11: upstream.a.address", "expected a host and a port"),
        ("[upstream.a]\naddress = '::1:5'", "2:11: upstream.a.address", "expected a host and a port"),
        ("[upstream.a]\naddress = '[::g]:5'", "2:11: upstream.a.address", "expected a host and a port"),
        ("[upstream.a]\naddress = 'x:1'\nbackup = ['y:1', 'z']", "3:18: upstream.a.backup[1]", "is \"z\""),
        ("[upstream.a]\naddress = 'x:1'\ntls = {}", "3:7: upstream.a.tls.ca", "is missing"),
    ] {
        assert_faults(text, &parse(text).expect_err(text), &[(start, fragment)]);
    }
    let several = "[upstream.a]\naddress = 'a:1'\n[upstream.b]\naddress = 'b:1'\n[[account]]\nsystem_id = 'x'\n";
    let faults = parse(several).unwrap_err();
    assert_faults(several, &faults, &[("5:1: account[0].upstream", "is missing; there are several: name one of a, b")]);
    assert_eq!(parse(&format!("{several}upstream = 'b'")).unwrap().accounts[0].upstream, "b");
}

#[test]
fn faults_of_accounts() {
    for (keys, start, fragment) in [
        ("upstream = 'mian'", "3:12: account[0].upstream", "names no upstream (\"mian\"); did you mean \"main\"?"),
        (
            "state = 'gone'",
            "3:9: account[0].state",
            "expected \"active\" or \"held\" or \"blocked\" or \"deactivated\"",
        ),
        ("country = 'be'", "3:11: account[0].country", "two upper-case letters"),
        ("max_binds = 0", "3:13: account[0].max_binds", "expected an integer from 1"),
        ("allow_from = ['x']", "3:15: account[0].allow_from[0]", "expected a network"),
        ("rate = 5", "3:8: account[0].rate", "expected a table"),
        ("rate = {}", "3:8: account[0].rate.per_second", "is missing"),
        ("rate = { per_second = 0 }", "3:23: account[0].rate.per_second", "expected an integer from 1"),
        ("rate = { per_second = 5, burst = 0 }", "3:34: account[0].rate.burst", "expected an integer from 1"),
        ("bind_rate = { per_second = 5, burts = 9 }", "3:31: account[0].bind_rate.burts", "did you mean \"burst\"?"),
        ("client_certificate = 'x'", "3:22: account[0].client_certificate", "64 hex digits"),
        ("client_certificate = 'CN=x'", "3:22: account[0].client_certificate", "add client_ca to [listen.tls]"),
        ("password_hash = 'x'", "3:17: account[0].password_hash", "is no PHC string"),
        ("password_hash = 5", "3:17: account[0].password_hash", "is no string"),
        (
            "password_hash = '$scrypt$ln=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b6dWRWJTmaaJObG'",
            "3:17: account[0].password_hash",
            "another function",
        ),
        ("password_hash = '$argon2id$v=19$m=8,t=1,p=1'", "3:17: account[0].password_hash", "without salt or hash"),
        ("upstream_system_id = '1234567890123456'", "3:22: account[0].upstream_system_id", "has 16 octets"),
        ("upstream_password = 'x'", "3:21: account[0].upstream_password", "which nobody checks then"),
    ] {
        let text = format!("[[account]]\nsystem_id = 'a'\n{keys}");
        assert_faults(&text, &with_upstream(&text).expect_err(keys), &[(start, fragment)]);
    }
    assert_table(&[
        ("[[account]]", "1:1: account[0].system_id", "is missing"),
        ("[[account]]\nsystem_id = ''", "2:13: account[0].system_id", "has 0 octets"),
        ("[[account]]\nsystem_id = 'ééééééééé'", "2:13: account[0].system_id", "has 18 octets; expected 1 to 15"),
        ("[[account]]\nsystem_id = 'é'", "2:13: account[0].system_id", "printable ASCII"),
        (
            "[[account]]\nsystem_id = 'a'\n[[account]]\nsystem_id = 'a'",
            "4:13: account[1].system_id",
            "is that of account[0] too (\"a\")",
        ),
    ]);
}

#[test]
fn faults_of_senders() {
    for (keys, start, fragment) in [
        ("kind = 'alphanumeric'", "3:1: account[0].sender[0].id", "is missing"),
        ("id = 'SHOP'\nkind = 'text'", "5:8: account[0].sender[0].kind", "expected \"alphanumeric\" or"),
        ("id = 'SHOP'\nkind = 'short_code'", "4:6: account[0].sender[0].id", "expected 3 to 8 digits"),
        ("id = '1234'\nkind = 'alphanumeric'", "4:6: account[0].sender[0].id", "a letter among them"),
        ("id = 'TwelveLetter'", "4:6: account[0].sender[0].id", "expected 1 to 11 characters"),
        ("id = 'Caf\u{ea}'", "4:6: account[0].sender[0].id", "GSM 03.38 basic table"),
        ("id = '+32470000001'", "4:6: account[0].sender[0].id", "without the +"),
        ("id = '12'", "4:6: account[0].sender[0].id", "expected 3 to 8 digits"),
        ("id = '123456789'\nkind = 'short_code'", "4:6: account[0].sender[0].id", "expected 3 to 8 digits"),
        ("id = '0470000001'", "4:6: account[0].sender[0].id", "7 to 15 digits"),
        ("id = '1234567890123456'", "4:6: account[0].sender[0].id", "7 to 15 digits"),
        ("id = 'A'\non_behalf_of = 'B'", "5:16: account[0].sender[0].on_behalf_of", "given without authorisation"),
        ("id = 'A'\nexpires = '2027-01-01'", "5:11: account[0].sender[0].expires", "expected a date without quotes"),
        ("id = 'A'\nexpires = 2027-01-01T00:00:00Z", "5:11: account[0].sender[0].expires", "expected a date"),
        (
            "id = 'Shop'\n[[account.sender]]\nid = ' SHOP '",
            "6:6: account[0].sender[1].id",
            "is that of account[0].sender[0] too",
        ),
    ] {
        let text = format!("[[account]]\nsystem_id = 'a'\n[[account.sender]]\n{keys}");
        assert_faults(&text, &with_upstream(&text).expect_err(keys), &[(start, fragment)]);
    }
}

#[test]
fn faults_of_tls_files() {
    let folder = tempfile::tempdir().unwrap();
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other_key = rcgen::KeyPair::generate().unwrap();
    for (name, content) in [
        ("cert.pem", cert.pem()),
        ("key.pem", signing_key.serialize_pem()),
        ("other.pem", other_key.serialize_pem()),
        ("empty.pem", String::new()),
        ("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned()),
        ("badkey.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned()),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let listen = |certificate: &str, key: &str, ca: &str| {
        let text = format!("[listen.tls]\ncertificate = '{certificate}'\nkey = '{key}'\nclient_ca = '{ca}'{UPSTREAM}");
        Config::parse(&text, "c.toml", folder.path())
    };
    let tls = listen("cert.pem", "key.pem", "cert.pem").unwrap().listen.tls.unwrap();
    assert_eq!(tls.key, folder.path().join("key.pem"));
    for (certificate, key, ca, start, fragment) in [
        ("none.pem", "key.pem", "cert.pem", "2:15: listen.tls.certificate", "cannot be read"),
        ("empty.pem", "key.pem", "cert.pem", "2:15: listen.tls.certificate", "holds no certificate"),
        ("key.pem", "key.pem", "cert.pem", "2:15: listen.tls.certificate", "holds no certificate"),
        ("garbage.pem", "key.pem", "cert.pem", "2:15: listen.tls.certificate", "no usable certificate"),
        ("cert.pem", "none.pem", "cert.pem", "3:7: listen.tls.key", "cannot be read"),
        ("cert.pem", "cert.pem", "cert.pem", "3:7: listen.tls.key", "holds no private key"),
        ("cert.pem", "badkey.pem", "cert.pem", "3:7: listen.tls.key", "TLS cannot use"),
        ("cert.pem", "other.pem", "cert.pem", "3:7: listen.tls.key", "not the key of the certificate"),
        ("cert.pem", "key.pem", "garbage.pem", "4:13: listen.tls.client_ca", "unusable certificate"),
        ("cert.pem", "key.pem", "empty.pem", "4:13: listen.tls.client_ca", "holds no certificate"),
    ] {
        assert_faults(fragment, &listen(certificate, key, ca).unwrap_err(), &[(start, fragment)]);
    }
    let upstream = |address: &str, keys: &str| {
        let text = format!("[upstream.a]\naddress = '{address}'\n[upstream.a.tls]\nca = 'cert.pem'\n{keys}");
        Config::parse(&text, "c.toml", folder.path())
    };
    let config = upstream("smsc:2776", "certificate = 'cert.pem'\nkey = 'key.pem'\nserver_name = 'localhost'").unwrap();
    assert!(config.upstreams["a"].tls.as_ref().unwrap().identity.is_some());
    for (address, keys, start, fragment) in [
        ("simulator", "", "3:1: upstream.a.tls", "the simulator speaks no TLS"),
        ("smsc:2776", "key = 'key.pem'", "5:7: upstream.a.tls.key", "is given without certificate"),
        ("smsc:2776", "certificate = 'cert.pem'", "5:15: upstream.a.tls.certificate", "is given without key"),
        ("smsc:2776", "server_name = ' '", "5:15: upstream.a.tls.server_name", "expected a host name"),
    ] {
        assert_faults(keys, &upstream(address, keys).unwrap_err(), &[(start, fragment)]);
    }
}

#[test]
fn faults_of_workflows() {
    assert_table(&[
        ("[proof]\ndeadline = '0s'", "2:12: proof.deadline", "expected a duration from \"1s\" to \"3650d\""),
        ("[proof]\ndeadline = '3651d'", "2:12: proof.deadline", "expected a duration"),
        ("[proof]\nreminders = ['24h']", "2:13: proof.reminders", "has one that is not before the deadline"),
        ("[proof]\non_expiry = 'block'", "2:13: proof.on_expiry", "expected \"deactivate\" or \"hold\" or \"propose\""),
        ("[proof]\ndeadlin = '1h'", "2:1: proof.deadlin", "did you mean \"deadline\"?"),
        ("[complaints]\nhold = 3", "2:8: complaints.hold", "is not above warn"),
        ("[complaints]\nblock = 10", "2:9: complaints.block", "is not above hold"),
        ("[complaints]\nopt_out_hold = 5", "2:16: complaints.opt_out_hold", "is not above opt_out_warn"),
        ("[complaints]\nopt_out_warn = 101", "2:16: complaints.opt_out_warn", "expected an integer from 1 to 100"),
        ("[complaints]\ncode = '77'", "2:8: complaints.code", "expected a code of 3 to 8 digits"),
        ("[retention]\ncases = 5", "2:9: retention.cases", "expected a duration"),
        ("[retention]\nlogs = '5d'", "2:1: retention.logs", "unknown key"),
    ]);
}

#[test]
fn all_faults_at_once_in_the_order_of_the_file() {
    let text = "[[account]]\nsystem_id = 'a'\nupstream = 'x'\n[[account.sender]]\nid = '1'\n[listen]\nwindow = 0\n\
                frame_timeout = oops\nport = 1\n[policy.rate]\nmode = 1\n";
    let faults = parse(text).unwrap_err();
    assert_eq!(faults.iter().len(), 7);
    assert_faults(
        text,
        &faults,
        &[
            ("1:1: upstream", "is missing"),
            ("3:12: account[0].upstream", "names no upstream"),
            ("5:6: account[0].sender[0].id", "expected 3 to 8 digits"),
            ("7:10: listen.window", "is the integer 0"),
            ("8:17: syntax", "a value is missing, or a string is not quoted"),
            ("9:1: listen.port", "unknown key"),
            ("11:8: policy.rate.mode", "is the integer 1"),
        ],
    );
}

#[test]
fn a_spoilt_header_does_not_bring_faults_that_are_none() {
    let text =
        "[listen]\nwindow = 0\n[[account]\nsystem_id = 'a'\n[upstream.main]\nbackup = ['x']\n[audit]\nqueue = 0\n";
    let expected = [
        ("2:10: listen.window", "is the integer 0"),
        ("3:11: syntax", "unclosed array table"),
        ("8:9: audit.queue", "is the integer 0"),
    ];
    assert_faults(text, &parse(text).unwrap_err(), &expected);
}

#[test]
fn snippets_show_the_line() {
    let snippets = with_upstream("[listen]\nwindow = 0 # mine").unwrap_err().snippets();
    for part in ["listen.window: is the integer 0", "c.toml:2:10", "window = 0 # mine", "expected an integer from 1"] {
        assert!(snippets.contains(part), "{part} is not in\n{snippets}");
    }
}

#[test]
fn faults_beyond_the_bound_are_counted() {
    let text: String = (0..10_050).map(|n| format!("k{n} = 1\n")).collect();
    let faults = with_upstream(&text).unwrap_err();
    assert_eq!(faults.iter().len(), 10_000);
    assert!(faults.to_string().ends_with("c.toml: 50 more faults are not shown"));
    assert_eq!(faults.snippets(), faults.to_string());
}

#[test]
fn a_file_that_cannot_be_read_is_a_fault_without_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    let name = path.display();
    let faults = Config::load(&path).unwrap_err().to_string();
    assert!(faults.starts_with(&format!("{name}: cannot be read: ")), "{faults}");
    std::fs::write(&path, b"[listen]\nx = \"\xff\"").unwrap();
    let faults = Config::load(&path).unwrap_err();
    assert_eq!(faults.to_string(), format!("{name}: is no UTF-8 in line 2; save it as UTF-8"));
    assert!(faults.snippets().contains("is no UTF-8 in line 2"));
}
