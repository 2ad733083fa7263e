//! What a file says, and what holds where it says nothing.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;
use crate::pdu::CommandStatus;

#[test]
fn the_least_configuration_has_the_defaults() {
    let config = with_upstream("").unwrap();
    let listen = &config.listen;
    assert_eq!(listen.address.to_string(), "127.0.0.1:2775");
    assert_eq!((listen.max_connections, listen.max_frame, listen.window), (10_000, 80 * 1024, 1000));
    assert_eq!((listen.max_pending_binds, listen.lockout_failures), (256, 10));
    assert_eq!(listen.read_buffers_total, 256 * 1024 * 1024);
    assert_eq!(listen.response_timeout, Duration::from_secs(120));
    assert!(config.admin.is_none() && listen.tls.is_none() && config.accounts.is_empty());
    assert_eq!(config.ledger.path, Path::new("/base/var/ledger"));
    assert_eq!(config.audit.path, Path::new("/base/var/audit"));
    assert_eq!(config.audit.sync_interval, Duration::from_millis(50));
    assert_eq!(config.journal.path, Path::new("/base/var/journal"));
    assert_eq!(config.journal.keep, Duration::from_secs(400 * 86_400));
    assert_eq!(config.unknown, UnknownAccount::Reject);
    assert_eq!(config.rules.len(), RuleName::ORDER.len());
    let day = Duration::from_secs(86_400);
    let repetition = Repetition { same_within: day, similar_within: day, recipients: 1_000_000, unanswered: 12 };
    assert_eq!(config.repetition, repetition);
    assert_eq!((config.campaign.alike, config.campaign.unlike), (600, Unlike::Record));
    assert_eq!((config.rate.codes.most, config.rate.range.most), (10, 50));
    assert!(config.rules.iter().all(|(name, rule)| *rule == RuleSettings { mode: name.default_mode(), status: None }));
    assert_eq!(config.concatenation.references_per_account, 100_000);
    assert_eq!(config.concatenation.window, Duration::from_secs(3600));
    assert_eq!(config.concatenation.memory_per_account, 32 << 20);
}

#[test]
fn values_are_what_the_file_says() {
    let config = with_upstream(
        "[listen]\nbind_timeout = '250ms'\nframe_timeout = '2m'\nmax_frame = 4096\nread_buffers_total = '1GiB'\n\
         [audit]\npath = '/abs'\nmsisdn_key_file = 'k'\n[admin]\n[accounts]\nunknown = 'a'\n[policy.rate]\nmode = 'off'\n\
         status = 'ESME_RMSGQFUL'\n[policy.concatenation]\nreferences = 10\n[[account]]\nsystem_id = 'a'\n[[account]]\nsystem_id = 'A'\n",
    )
    .unwrap();
    assert_eq!(config.listen.bind_timeout, Duration::from_millis(250));
    assert_eq!(config.listen.frame_timeout, Duration::from_secs(120));
    assert_eq!((config.listen.max_frame, config.listen.read_buffers_total), (4096, 1 << 30));
    assert_eq!(config.audit.path, Path::new("/abs"));
    assert_eq!(config.audit.msisdn_key_file, Path::new("/base/k"));
    assert_eq!(config.admin.unwrap().token_file, Path::new("/base/var/admin-token"));
    assert_eq!(config.unknown, UnknownAccount::TreatAs("a".to_owned()));
    let rate = RuleSettings { mode: Mode::Off, status: Some(CommandStatus::ESME_RMSGQFUL) };
    assert_eq!(config.rules[&RuleName::Rate], rate);
    assert_eq!(config.concatenation.references_per_account, 10);
    assert_eq!(config.accounts.len(), 2, "system_ids differ in case");
}

#[test]
fn values_of_accounts_are_what_the_file_says() {
    let account = account(&format!(
        "password_hash = '{HASH}'\nupstream_password = 'x'\nallow_from = ['127.0.0.1', '10.0.0.0/8']\n\
         rate = {{ per_second = 7 }}\n\
         [[account.sender]]\nid = ' Kauf & Co '\n[[account.sender]]\nid = '12345678'\nkind = 'short_code'\n\
         [[account.sender]]\nid = '123456'\n[[account.sender]]\nid = '1234567'\nexpires = 2027-01-31"
    ));
    assert_eq!(account.password_hash.unwrap().expose_secret(), HASH);
    assert_eq!(account.upstream, "main");
    assert!(within(&account.allow_from, "::ffff:10.1.2.3".parse().unwrap()));
    assert!(!within(&account.allow_from, "127.0.0.2".parse().unwrap()));
    assert_eq!(account.rate.map(|rate| (rate.per_second.get(), rate.burst.get())), Some((7, 7)));
    let senders: Vec<_> = account.senders.iter().map(|sender| (sender.id.as_str(), sender.kind)).collect();
    let expected = [
        ("Kauf & Co", SenderKind::Alphanumeric),
        ("12345678", SenderKind::ShortCode),
        ("123456", SenderKind::ShortCode),
        ("1234567", SenderKind::International),
    ];
    assert_eq!(senders, expected);
    assert_eq!(account.senders[3].expires, Some(jiff::civil::date(2027, 1, 31)));
}

#[test]
fn the_shipped_file_is_in_order_and_shows_every_key() {
    let config = parse(SHIPPED).unwrap();
    assert_eq!(config.upstreams["main"].address, UpstreamAddress::Simulator);
    assert_eq!(config.accounts.len(), 3);
    // What it shows commented out is known too: only what it names may be missing.
    let uncommented: String = SHIPPED
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) =>
            {
                rest
            }
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let faults = parse(&uncommented).unwrap_err();
    assert!(faults.iter().len() >= 7, "{faults}");
    for fault in faults.iter() {
        assert!(!fault.message.starts_with("unknown") && fault.key != "syntax", "{fault}");
    }
}

#[test]
fn workflows_have_sane_defaults_and_what_the_shipped_file_shows() {
    let (plain, shipped) = (with_upstream("").unwrap(), parse(SHIPPED).unwrap());
    assert_eq!(plain.proof, shipped.proof);
    assert_eq!(plain.complaints, shipped.complaints);
    assert_eq!(plain.retention, shipped.retention);
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    assert_eq!((plain.proof.deadline, plain.proof.on_expiry), (hours(24), OnExpiry::Deactivate));
    assert_eq!(plain.proof.reminders, [hours(12), hours(23)]);
    let short = with_upstream("[proof]\ndeadline = '1h'").unwrap().proof;
    assert_eq!(short.reminders, [hours(1) / 2]);
    let own = with_upstream("[proof]\nreminders = ['3h', '1h', '3h']\non_expiry = 'propose'").unwrap().proof;
    assert_eq!((own.reminders, own.on_expiry), (vec![hours(1), hours(3)], OnExpiry::Propose));
    assert!(with_upstream("[proof]\nreminders = []").unwrap().proof.reminders.is_empty());
}

#[test]
fn the_form_is_off_by_default_and_says_whose_it_is() {
    assert!(with_upstream("").unwrap().report.is_none() && parse(SHIPPED).unwrap().report.is_none());
    let report =
        with_upstream("[report]\nprovider = 'Example'\ncontact = 'abuse@example.net'").unwrap().report.unwrap();
    assert_eq!((report.address.to_string().as_str(), report.max_connections), ("127.0.0.1:2781", 256));
    assert_eq!((report.reports_per_address.get(), report.reports_in_all.get()), (5, 300));
    assert_eq!((report.request_timeout, report.trusted_proxies), (Duration::from_secs(20), vec![]));
    let own = "provider = 'p'\ncontact = 'c'\n";
    for (text, start, fragment) in [
        ("[report]\nprovider = 'p'".to_owned(), "1:1: report.contact", "is missing; add where questions"),
        ("[report]\ncontact = 'c'".to_owned(), "1:1: report.provider", "is missing; add the name"),
        (format!("[report]\n{own}address = '127.0.0.1:2775'"), "4:11: report.address", "is listen.address too"),
        (format!("[report]\n{own}address = '127.0.0.1:2780'\n[admin]"), "4:11: report.address", "is admin.address too"),
        (format!("[report]\n{own}reports_in_all = 0"), "4:18: report.reports_in_all", "expected an integer"),
        (format!("[report]\n{own}trusted_proxies = ['x']"), "4:20: report.trusted_proxies[0]", "expected a network"),
        (format!("[report]\n{own}limit = 1"), "4:1: report.limit", "unknown key"),
    ] {
        assert_table(&[(text.as_str(), start, fragment)]);
    }
}

#[test]
fn a_webhook_is_encrypted_or_on_this_machine_and_has_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "0123456789abcdef\n").unwrap();
    std::fs::write(folder.path().join("short"), "0123456789abcde").unwrap();
    let webhook = |keys: &str| {
        let text = format!("[admin]\n{keys}{UPSTREAM}");
        Config::parse(&text, "c.toml", folder.path()).map(|config| config.admin.unwrap().webhook)
    };
    for (url, fits) in [
        ("https://example.net/events?a=b", true),
        ("https://[2001:db8::1]:8443/", true),
        ("http://127.0.0.1:8080/events", true),
        ("http://[::1]/", true),
        ("http://localhost:1", true),
        ("http://example.net/events", false),
        ("http://127.0.0.1@example.net/", false),
        ("http://localhost.example.net/", false),
        ("https://", false),
        ("https://a b", false),
        ("ftp://127.0.0.1/", false),
        ("example.net", false),
    ] {
        let read = webhook(&format!("webhook = '{url}'\nwebhook_secret_file = 'secret'"));
        assert_eq!(read.is_ok(), fits, "{url}");
        if let Ok(read) = read {
            let read = read.unwrap();
            assert_eq!((read.url.as_str(), read.secret.expose_secret()), (url, "0123456789abcdef"));
            assert!(!format!("{read:?}").contains("0123456789"));
        }
    }
    assert!(webhook("").unwrap().is_none());
    let url = "webhook = 'https://example.net'\n";
    for (keys, start, fragment) in [
        (url.to_owned(), "1:1: admin.webhook_secret_file", "is missing; add the path"),
        (format!("{url}webhook_secret_file = 'short'"), "3:23: admin.webhook_secret_file", "fewer than 16 octets"),
        (format!("{url}webhook_secret_file = 'none'"), "3:23: admin.webhook_secret_file", "cannot be read"),
        ("webhook_secret_file = 'secret'".to_owned(), "2:23: admin.webhook_secret_file", "is given without webhook"),
    ] {
        assert_faults(&keys, &webhook(&keys).unwrap_err(), &[(start, fragment)]);
    }
}

#[test]
fn secrets_stay_secret() {
    let text =
        "[[account]]\nsystem_id = 'a'\nupstream_password = 'geheim-und-lang' # x\npassword_hash = '$geheim'\nx = 1\n";
    let faults = with_upstream(text).unwrap_err();
    for shown in [faults.to_string(), format!("{faults:?}"), faults.snippets()] {
        assert!(shown.contains("account[0].upstream_password"), "{shown}");
        assert!(!shown.contains("geheim"), "{shown}");
    }
    let text = format!("password_hash = '{HASH}'\nupstream_password = 'geheim'");
    assert!(!format!("{:?}", account(&text)).contains("geheim"));
}
