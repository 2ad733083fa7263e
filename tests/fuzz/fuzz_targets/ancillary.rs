//! query_sm, its response, cancel_sm and replace_sm.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    smppolicy_fuzz::requests!(body, QuerySm, CancelSm, ReplaceSm);
    smppolicy_fuzz::responses!(body, QuerySmResp);
});
