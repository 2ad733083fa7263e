//! Judging a stream of frames: what is cleared is the frame itself, what is rewritten is never longer, and the same
//! frame gets the same verdict again under an account without limits.

#![no_main]

use std::mem::discriminant;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use smppolicy::config::Config;
use smppolicy::pdu::{Parsed, next_frame};
use smppolicy::policy::{Now, Outcome, Snapshot, Standing};

const CONFIG: &str = r#"
[upstream.main]
address = "127.0.0.1:2775"
[[account]]
system_id = "fuzz"
default_purpose = "transactional"
allow_binary = true
allow_empty_sender = true
  [[account.sender]]
  id = "S"
"#;

static SNAPSHOT: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
    let config = Config::parse(CONFIG, "fuzz.toml", Path::new("/")).expect("a valid configuration");
    Arc::new(Snapshot::new(config).expect("lists in order"))
});

fuzz_target!(|stream: &[u8]| {
    let account = SNAPSHOT.account(b"fuzz").expect("the account is declared").clone();
    let standing = Standing { snapshot: SNAPSHOT.clone(), account, limiter: None, withholds: false };
    let now = Now { monotonic_nanos: 1, unix_millis: 0, steady_millis: 0 };
    let mut rest = stream;
    while let Ok(Parsed::Whole(frame)) = next_frame(rest, 1 << 16) {
        let mut shadowed = Vec::new();
        let outcome = SNAPSHOT.policy().clear(frame, &standing, now, &mut shadowed);
        match &outcome {
            Outcome::Cleared(cleared, _) => assert_eq!(cleared.bytes(), frame.bytes()),
            Outcome::Reduced { rewritten, refused, .. } => {
                assert!(rewritten.bytes().len() <= frame.bytes().len() && !refused.is_empty());
            }
            Outcome::Rejected(..) | Outcome::Malformed(_) => {}
            Outcome::Withheld => unreachable!("nothing is withheld here"),
        }
        let again = SNAPSHOT.policy().clear(frame, &standing, now, &mut shadowed);
        assert_eq!(discriminant(&outcome), discriminant(&again));
        assert!(shadowed.is_empty());
        rest = &rest[frame.bytes().len()..];
    }
});
