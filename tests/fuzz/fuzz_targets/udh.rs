//! User data headers: the elements fill the header, and a concatenation is a possible one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smppolicy::pdu::udh::UserDataHeader;

fuzz_target!(|user_data: &[u8]| {
    let Ok(header) = UserDataHeader::parse(user_data) else { return };
    assert!(header.size() <= user_data.len());
    assert_eq!(header.elements().map(|element| 2 + element.data.len()).sum::<usize>() + 1, header.size());
    if let Some(place) = header.concatenation() {
        assert!(place.part >= 1 && place.part <= place.total);
    }
});
