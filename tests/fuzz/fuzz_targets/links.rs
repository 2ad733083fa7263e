//! Links in any text, and brands they are compared with: no panic, and spans in order on character boundaries.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smppolicy::policy::brands::{Brand, Brands, Scratch};
use smppolicy::policy::pictures::is_picture;
use smppolicy::text::links::{Host, Links};

fuzz_target!(|input: (&str, &str, &str)| {
    let (text, name, domain) = input;
    let brands = Brands::new([
        Brand { name: name.to_owned(), spellings: Vec::new(), domains: vec![domain.to_owned()] },
        Brand { name: "Polderbank".to_owned(), spellings: Vec::new(), domains: vec!["polderbank.nl".to_owned()] },
    ]);
    let (mut links, mut scratch) = (Links::default(), Scratch::default());
    let mut before = 0;
    for link in links.find(text).iter() {
        assert!(before <= link.span.start && link.span.start < link.span.end);
        assert!(text.get(link.span.clone()).is_some_and(|written| written.ends_with(link.path)));
        before = link.span.end;
        if let Host::Name(name) = link.host {
            assert!(name.as_str().ends_with(name.registered()) && name.registered().ends_with(name.suffix()));
        }
        let _ = (is_picture(&link), brands.judge(&link, &mut scratch));
    }
    let _ = brands.imitates(text, &mut scratch);
});
